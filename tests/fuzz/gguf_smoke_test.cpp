// The fuzzer's twin for every test run: seeded, a few seconds. It also counts memory, which is why
// it is a program of its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>

#include "inference/gguf.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/fuzz/gguf_fuzz.h"
#include "tests/fuzz/gguf_mutations.h"
#include "tests/fuzz/memory_meter.h"

namespace kinglet::test {
namespace {

/// Good files in turn, with fields and perhaps bytes spoiled as the seed says.
Bytes spoiled_gguf(std::uint64_t seed) {
  static const std::vector<GgufWriter> kGood = good_ggufs();
  GgufWriter file = kGood[seed % kGood.size()];
  spoil_layout(file, seed);
  Bytes bytes = file.bytes();
  if (seed % 3 == 0) spoil_bytes(bytes, seed);
  return bytes;
}

/// Most memory that was held at once while `bytes` were parsed, beyond what was held before.
std::size_t memory_to_parse(std::span<const std::byte> bytes, bool& accepted) {
  const MemoryMeter memory;
  accepted = inference::Gguf::parse(bytes, "counted.gguf").has_value();
  return memory.peak();
}

constexpr std::size_t kAllowance = std::size_t{16} << 20;

}  // namespace

TEST_SUITE("fuzz/gguf") {
  TEST_CASE("good files are accepted") {
    CHECK(use_gguf(good_gguf()));
    for (const GgufWriter& file : good_ggufs())
      CHECK(use_gguf(file.bytes()));
  }

  TEST_CASE("the mutator takes a file apart and puts it together again") {
    for (const GgufWriter& file : good_ggufs()) {
      const Bytes bytes = file.bytes();
      const auto layout = read_layout(bytes);
      REQUIRE(layout.has_value());
      CHECK(layout->bytes() == bytes);
      CHECK(layout->values.size() == file.values.size());
      CHECK(layout->tensors.size() == file.tensors.size());
    }
  }

  TEST_CASE("a file cut at any byte of its header is refused") {
    const Bytes bytes = good_gguf();
    const auto header = inference::Gguf::parse(bytes, "good").value().data_offset();
    int n_accepted = 0;
    for (std::size_t n = 0; n <= header; ++n) {
      // A copy of exactly that size: a sanitizer sees each byte read beyond it.
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      n_accepted += use_gguf(cut) ? 1 : 0;
    }
    CHECK(n_accepted == 0);
  }

  TEST_CASE("any bit of the header may be wrong") {
    Bytes bytes = good_gguf();
    const auto header = inference::Gguf::parse(bytes, "good").value().data_offset();
    for (std::size_t at = 0; at < header; ++at) {
      const auto bit = static_cast<std::byte>(1U << at % 8);
      bytes[at] ^= bit;
      use_gguf(bytes);
      bytes[at] ^= bit;
    }
    CHECK(use_gguf(bytes));
  }

  TEST_CASE("any eight bytes of the header may be a huge number") {
    Bytes bytes = good_gguf();
    const auto header = inference::Gguf::parse(bytes, "good").value().data_offset();
    constexpr std::uint64_t kHuge[] = {
        0xffff'ffff'ffff'ffff, 0x7fff'ffff'ffff'ffe0, 0x8000'0000'0000'0000, 0xffff'fff0, 1 << 20};
    for (std::size_t at = 0; at + 8 <= header; ++at) {
      std::uint64_t old = 0;
      std::memcpy(&old, &bytes[at], 8);
      std::memcpy(&bytes[at], &kHuge[at % std::size(kHuge)], 8);
      use_gguf(bytes);
      std::memcpy(&bytes[at], &old, 8);
    }
    CHECK(use_gguf(bytes));
  }

  TEST_CASE("spoiled fields and bytes are refused or harmless") {
    int n_accepted = 0;
    constexpr int kRounds = 2000;
    for (std::uint64_t seed = 0; seed < kRounds; ++seed)
      n_accepted += use_gguf(spoiled_gguf(seed));
    // The mutations are neither all deadly nor all without effect.
    CHECK(n_accepted > kRounds / 50);
    CHECK(n_accepted < kRounds / 2);
  }

  TEST_CASE("damage upon damage is refused or harmless") {
    const std::vector<GgufWriter> good = good_ggufs();
    int n_taken_apart = 0;
    int n_accepted = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      Bytes bytes = good[seed % good.size()].bytes();
      for (int step = 0; step < 8; ++step) {
        auto layout = read_layout(bytes);
        if (!layout) break;
        spoil_layout(*layout, seed * 8 + static_cast<std::uint64_t>(step));
        bytes = layout->bytes();
        ++n_taken_apart;
        n_accepted += use_gguf(bytes) ? 1 : 0;
      }
    }
    // Neither the first damage nor the second ends it all.
    CHECK(n_taken_apart > 1000);
    CHECK(n_accepted > 100);
    CHECK(n_accepted < n_taken_apart / 2);
  }

  TEST_CASE("refusing takes little memory and little time") {
    const std::clock_t start = std::clock();
    std::size_t worst = 0;
    bool accepted = false;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      const Bytes bytes = spoiled_gguf(seed);
      worst = std::max(worst, memory_to_parse(bytes, accepted));
    }
    CHECK(worst < kAllowance);
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / 500 < 0.05);
  }

  TEST_CASE("refusing a tokenizer takes little memory, too") {
    constexpr std::uint32_t kTokens = 262'144;  // more than any model has
    std::vector<std::string> tokens;
    for (std::uint32_t i = 0; i < kTokens; ++i)
      tokens.push_back("token" + std::to_string(i));
    const auto file = [&](std::size_t n_kinds, std::uint32_t eos) {
      GgufWriter writer;
      writer.put_string("tokenizer.ggml.model", "llama");
      writer.put_strings("tokenizer.ggml.tokens", tokens);
      writer.put_array<float>("tokenizer.ggml.scores", std::vector<float>(kTokens));
      writer.put_array<std::int32_t>("tokenizer.ggml.token_type",
                                     std::vector<std::int32_t>(n_kinds, 1));
      writer.put("tokenizer.ggml.eos_token_id", eos);
      return writer.bytes();
    };
    for (const Bytes& bytes : {file(kTokens - 1, 0), file(kTokens, kTokens)}) {
      const MemoryMeter memory;
      {
        const auto gguf = inference::Gguf::parse(bytes, "counted.gguf").value();
        CHECK_FALSE(inference::vocabulary_from_gguf(gguf));
      }
      CHECK(memory.peak() <= 2 * bytes.size() + kAllowance);
    }
  }

  TEST_CASE("as many values, tensors or strings as are possible stay within the allowance") {
    const auto check = [](const GgufWriter& writer) {
      Bytes bytes = writer.bytes();
      bool accepted = false;
      CHECK(memory_to_parse(bytes, accepted) <= 2 * bytes.size() + kAllowance);
      CHECK(accepted);
      bytes.resize(bytes.size() - 40);  // refused at the very end
      CHECK(memory_to_parse(bytes, accepted) <= 2 * bytes.size() + kAllowance);
      CHECK_FALSE(accepted);
    };
    GgufWriter values;
    for (int i = 0; i < 65'535; ++i)
      values.put<std::uint8_t>("k" + std::to_string(i), 1);
    values.put_string("the last one", std::string(100, 'x'));
    check(values);
    GgufWriter tensors;
    const std::vector<float> numbers(64);
    for (int i = 0; i < 65'536; ++i) {
      tensors.add_floats(
          "t" + std::to_string(i), inference::TensorType::kF32, {10}, std::span(numbers).first(10));
    }
    check(tensors);
    GgufWriter strings;
    const std::vector<std::string> empty(1 << 20);
    strings.put_strings("strings", empty);
    check(strings);
  }
}

}  // namespace kinglet::test
