#include "tests/inference/backend_checks.h"

#include <algorithm>
#include <cstdio>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::KvFormat;
using inference::TensorType;

std::vector<Shape> odd_shapes() {
  return {
      {"odd", {.seed = 20, .hidden = 54, .heads = 3, .kv_heads = 3, .ffn = 77, .vocab = 301}},
      {"odd groups",
       {.seed = 21, .hidden = 50, .heads = 5, .kv_heads = 1, .ffn = 33, .vocab = 271}},
      {"tiny heads", {.seed = 22, .hidden = 14, .heads = 7, .kv_heads = 7, .ffn = 9, .vocab = 265}},
  };
}

double error_of(const BackendUnderTest& backend,
                const LoadedModel& loaded,
                const Shape& shape,
                KvFormat format) {
  const std::uint32_t n_tokens = shape.n_tokens != 0 ? shape.n_tokens : backend.n_tokens;
  const std::uint32_t max_tokens = shape.max_tokens != 0 ? shape.max_tokens : n_tokens;
  const auto tokens = random_tokens(n_tokens, loaded.reference->n_vocabulary(), 77);
  const auto expected = loaded.reference->logits(tokens, max_tokens);
  const auto executor =
      backend.make_executor(loaded, {.kv_format = format, .n_kv_tokens = max_tokens});
  return logits_error(all_logits(*executor, tokens, max_tokens), expected);
}

void check_precision_classes(const BackendUnderTest& backend,
                             const std::vector<Shape>& blocked,
                             const std::vector<Shape>& odd) {
  for (const TensorType type :
       {TensorType::kF32, TensorType::kF16, TensorType::kQ8_0, TensorType::kQ4_0}) {
    const std::string format(inference::block_format(type).name);
    double worst_exact = 0;
    double worst_f16 = 0;
    std::vector<Shape> shapes = blocked;
    if (inference::block_format(type).block_elements == 1) {
      shapes.insert(shapes.end(), odd.begin(), odd.end());
    }
    for (Shape& shape : shapes) {
      CAPTURE(format);
      CAPTURE(shape.name);
      shape.model.type = type;
      const LoadedModel loaded = load_synthetic(shape.model);
      const double exact = error_of(backend, loaded, shape, KvFormat::kF32);
      const double f16 = error_of(backend, loaded, shape, KvFormat::kF16);
      backend.after_model();
      CHECK(exact <= kExact);
      CHECK(f16 <= kF16Cache);
      // A cache that is not rounded would be no test of the rounded one.
      CHECK(f16 > exact);
      worst_exact = std::max(worst_exact, exact);
      worst_f16 = std::max(worst_f16, f16);
    }
    std::printf("%s %s: worst error %.1e exact, %.1e with an f16 cache\n",
                backend.name.c_str(),
                format.c_str(),
                worst_exact,
                worst_f16);
  }
}

void check_block_formats(const BackendUnderTest& backend) {
  for (const inference::BlockFormat* format : inference::block_formats()) {
    const std::string name(format->name);
    CAPTURE(name);
    const Shape shape{
        "whole blocks",
        {.seed = 15, .hidden = 256, .heads = 8, .kv_heads = 4, .ffn = 512, .type = format->type},
        48};
    const LoadedModel loaded = load_synthetic(shape.model);
    const double exact = error_of(backend, loaded, shape, KvFormat::kF32);
    backend.after_model();
    CHECK(exact <= kExact);
    std::printf("%s %s: error %.1e\n", backend.name.c_str(), name.c_str(), exact);
  }
}

void check_sequences_together(const BackendUnderTest& backend) {
  const LoadedModel loaded =
      load_synthetic({.seed = 41, .hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .ffn = 96});
  const std::uint32_t n_vocabulary = loaded.reference->n_vocabulary();
  const auto executor = backend.make_executor(
      loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 512, .chunk_tokens = 32});
  constexpr std::uint32_t kMostTokens = 100;
  std::vector<std::vector<inference::TokenId>> texts;
  std::vector<inference::Sequence> sequences;
  const auto common = random_tokens(45, n_vocabulary, 5);
  {
    auto origin = executor->new_sequence({.max_tokens = kMostTokens});
    REQUIRE(origin.has_value());
    REQUIRE(executor->forward(*origin, common, inference::LogitsWanted::kNone, {}).has_value());
    // The origin itself, forks of it, and one that has nothing yet.
    sequences.push_back(std::move(*origin));
    texts.push_back(common);
    for (const std::uint32_t n : {45U, 45U, 32U, 7U}) {
      sequences.push_back(executor->fork(sequences.front(), n));
      texts.emplace_back(common.begin(), common.begin() + n);
    }
    auto fresh = executor->new_sequence({.max_tokens = kMostTokens});
    REQUIRE(fresh.has_value());
    sequences.push_back(std::move(*fresh));
    texts.emplace_back();
  }
  std::vector<inference::Sequence*> together;
  for (inference::Sequence& sequence : sequences)
    together.push_back(&sequence);
  std::vector<float> logits(sequences.size() * n_vocabulary);
  for (std::uint32_t step = 0; step < 3; ++step) {
    const auto tokens = random_tokens(sequences.size(), n_vocabulary, 50 + step);
    const auto computed = executor->forward_each(together, tokens, logits);
    if (!computed) FAIL(computed.error().message);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(i);
      texts[i].push_back(tokens[i]);
      CHECK(sequences[i].n_tokens() == texts[i].size());
      const auto row = std::span(logits).subspan(i * n_vocabulary, n_vocabulary);
      CHECK(logits_error(row, {loaded.reference->logits(texts[i], kMostTokens).back()}) <= kExact);
    }
  }
  backend.after_model();
}

void check_greedy_decoding(const BackendUnderTest& backend) {
  const LoadedModel loaded =
      load_synthetic({.seed = 42, .hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .ffn = 96});
  const auto executor = backend.make_executor(
      loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 512, .chunk_tokens = 32});
  const auto prompt = random_tokens(230, loaded.reference->n_vocabulary(), 6);
  constexpr std::uint32_t kTokens = 60;
  const auto expected = greedy_text(*executor, prompt, kTokens);

  auto sequence = executor->new_sequence({.max_tokens = 300});
  REQUIRE(sequence.has_value());
  std::vector<float> logits(loaded.reference->n_vocabulary());
  REQUIRE(executor->forward(*sequence, prompt, inference::LogitsWanted::kLast, logits).has_value());
  std::vector<inference::TokenId> text = {static_cast<inference::TokenId>(
      std::max_element(logits.begin(), logits.end()) - logits.begin())};
  int n_calls = 0;
  while (text.size() < kTokens) {
    std::vector<inference::TokenId> next(std::min<std::size_t>(25, kTokens - text.size()), -1);
    const auto n = executor->decode_greedy(*sequence, text.back(), next);
    if (!n) FAIL(n.error().message);
    REQUIRE(*n >= 1);
    REQUIRE(*n <= next.size());
    text.insert(text.end(), next.begin(), next.begin() + *n);
    CHECK(sequence->n_tokens() == prompt.size() + text.size() - 1);
    ++n_calls;
  }
  const Difference difference = first_difference(*loaded.reference, prompt, expected, text);
  if (difference.found) CHECK(difference.reference_gap < 2 * kExact);
  // What it left in the cache is what the text says.
  REQUIRE(executor->forward(*sequence, {&text.back(), 1}, inference::LogitsWanted::kLast, logits)
              .has_value());
  std::vector<inference::TokenId> all = prompt;
  all.insert(all.end(), text.begin(), text.end());
  CHECK(logits_error(logits, {loaded.reference->logits(all, 300).back()}) <= kExact);
  backend.after_model();
  std::printf("%s: %u greedy tokens in %d calls\n", backend.name.c_str(), kTokens, n_calls);
}

}  // namespace kinglet::test
