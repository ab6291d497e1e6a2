// What a token mask costs, over a vocabulary of a model file. Prints, for each grammar, the time of
// the masks along texts that are drawn at random: the first ones, which find things out, and those
// of later texts.
//
// usage: mask_bench MODEL.gguf
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "inference/constraint.h"
#include "inference/gguf.h"
#include "inference/grammar/json_schema.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"

namespace {

using kinglet::inference::Constraint;
using kinglet::inference::ConstraintState;
using kinglet::inference::TokenId;
using kinglet::inference::TokenMask;
using Clock = std::chrono::steady_clock;

struct Case {
  const char* name;
  const char* schema;
};
constexpr Case kCases[] = {
    {"any JSON", "true"},
    {"a tool's arguments",
     R"({"type":"object","properties":{"path":{"type":"string"},"line":{"type":"integer","minimum":1},)"
     R"("edits":{"type":"array","items":{"type":"object","properties":{"old":{"type":"string"},)"
     R"("new":{"type":"string"},"kind":{"enum":["replace","insert","delete"]}},)"
     R"("required":["old","new","kind"]},"minItems":1},"force":{"type":"boolean"}},)"
     R"("required":["path","edits"]})"},
    {"bounded strings",
     R"({"type":"array","items":{"type":"string","minLength":5,"maxLength":80}})"},
    {"a pattern",
     R"({"type":"array","items":{"type":"string","pattern":"^[A-Z][a-z]+( [a-z]+)*$"}})"},
};

double microseconds(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// The times of the masks of one text of 200 tokens.
void draw(const std::shared_ptr<Constraint>& constraint,
          std::size_t n_vocabulary,
          std::mt19937& random,
          std::vector<double>& times) {
  ConstraintState state(constraint);
  TokenMask mask(n_vocabulary);
  for (std::uint32_t n_left = 200; n_left > 0 && !state.must_end(); --n_left) {
    const Clock::time_point start = Clock::now();
    mask.clear();
    state.allow(n_left, mask);
    times.push_back(microseconds(start));
    std::vector<TokenId> allowed;
    for (TokenId token = 0; static_cast<std::size_t>(token) < n_vocabulary; ++token) {
      if (mask.allows(token)) allowed.push_back(token);
    }
    if (allowed.empty()) return;
    const TokenId token = allowed[random() % allowed.size()];
    state.accept(token);
  }
}

void print(const char* name, const char* when, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const double sum = std::accumulate(times.begin(), times.end(), 0.0);
  std::printf("%-20s %-6s %6zu masks: mean %8.1f us, median %8.1f, 99th of 100 %8.1f, most %8.1f\n",
              name,
              when,
              times.size(),
              sum / static_cast<double>(times.size()),
              times[times.size() / 2],
              times[times.size() * 99 / 100],
              times.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: mask_bench MODEL.gguf\n");
    return 2;
  }
  const auto gguf = kinglet::inference::Gguf::open(argv[1]);
  if (!gguf) {
    std::fprintf(stderr, "%s\n", gguf.error().message.c_str());
    return 1;
  }
  auto vocabulary = kinglet::inference::vocabulary_from_gguf(*gguf);
  if (!vocabulary) {
    std::fprintf(stderr, "%s\n", vocabulary.error().message.c_str());
    return 1;
  }
  const kinglet::inference::Tokenizer tokenizer(
      std::make_shared<const kinglet::inference::Vocabulary>(std::move(*vocabulary)));
  Clock::time_point start = Clock::now();
  const kinglet::inference::TokenTrie trie(tokenizer);
  std::printf("%zu tokens, a tree of %zu nodes made in %.1f ms\n",
              trie.n_vocabulary(),
              trie.nodes().size(),
              microseconds(start) / 1000);
  std::mt19937 random(1);
  for (const Case& each : kCases) {
    start = Clock::now();
    auto machine = kinglet::inference::grammar::compile_json_schema(each.schema);
    if (!machine) return std::fprintf(stderr, "%s\n", machine.error().message.c_str()), 1;
    auto constraint = Constraint::create(std::move(*machine), trie, tokenizer.vocabulary());
    if (!constraint) return std::fprintf(stderr, "%s\n", constraint.error().message.c_str()), 1;
    const double compiled = microseconds(start);
    std::vector<double> first;
    draw(*constraint, trie.n_vocabulary(), random, first);
    std::vector<double> later;
    for (int i = 0; i < 30; ++i)
      draw(*constraint, trie.n_vocabulary(), random, later);
    std::printf("%-20s compiled in %.1f ms\n", each.name, compiled / 1000);
    print(each.name, "first", std::move(first));
    print(each.name, "later", std::move(later));
  }
  return 0;
}
