// Inputs as big as they may be, of shapes that cost most: each is refused or used within bounds of
// time and memory. What random damage seldom makes.
#include <ctime>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "inference/grammar/gbnf.h"
#include "inference/grammar/json_schema.h"
#include "inference/grammar/pattern.h"
#include "tests/fuzz/memory_meter.h"

namespace kinglet::test {
namespace {

constexpr std::size_t kMost = 1'000'000;  // bytes; a little less than what is read
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMostSeconds = 60;
#else
constexpr double kMostSeconds = 6;
#endif
constexpr std::size_t kMostMemory = std::size_t{256} << 20;

std::string repeat(std::string_view part, std::size_t n) {
  std::string text;
  text.reserve(part.size() * n);
  for (std::size_t i = 0; i < n; ++i)
    text += part;
  return text;
}

/// "made", or the first words of the refusal; with what it cost when that was too much.
template <class Compile>
std::string outcome(Compile compile, const std::string& text) {
  const MemoryMeter memory;
  const std::clock_t start = std::clock();
  std::string said;
  {
    const auto made = compile(text);
    said = made ? "made" : made.error().message.substr(0, 300);
  }
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (seconds > kMostSeconds) said += "; took " + std::to_string(seconds) + " s";
  if (memory.peak() > kMostMemory) said += "; took " + std::to_string(memory.peak()) + " bytes";
  return said;
}

std::string gbnf(const std::string& text) {
  return outcome(inference::grammar::compile_gbnf, text);
}
std::string schema(const std::string& text) {
  return outcome(inference::grammar::compile_json_schema, text);
}
std::string pattern(const std::string& text) {
  return outcome(inference::grammar::compile_pattern, text);
}

/// 1 MB of numbered parts: "a0", "a1", ...
template <class Part>
std::string many(Part part) {
  std::string text;
  for (std::size_t i = 0; text.size() < kMost - 100; ++i)
    text += part(std::to_string(i));
  return text;
}

bool is_refused(const std::string& said) {
  return said != "made" && said.find("; took") == std::string::npos;
}
bool is_within_bounds(const std::string& said) {
  return said.find("; took") == std::string::npos;
}

}  // namespace

TEST_SUITE("fuzz/hostile_shapes") {
  TEST_CASE("grammars of many groups, alternatives or characters") {
    CHECK(is_refused(gbnf("root ::= " + repeat("(", kMost))));
    CHECK(is_refused(gbnf("root ::= " + repeat("|", kMost) + "\"a\"")));
    CHECK(is_refused(gbnf("root ::= \"" + repeat("a", kMost) + "\"")));
    CHECK(is_within_bounds(
        gbnf("root ::= [" + repeat("ac\xc3\xa4\xe4\xb8\xad", kMost / 7) + "]{10000}")));
    std::string apart = "root ::= [";  // no two of its characters are neighbors
    for (std::uint32_t point = 0x800; point < 0xd000; point += 2) {
      apart += static_cast<char>(0xe0 | point >> 12);
      apart += static_cast<char>(0x80 | (point >> 6 & 0x3f));
      apart += static_cast<char>(0x80 | (point & 0x3f));
    }
    CHECK(is_within_bounds(gbnf(apart + "]*")));
    CHECK(is_refused(gbnf("root ::= ([!#%')+-/13579;=?ACEGIKMOQSUWY_acegikmoqsuwy]{10}){9000}")));
  }

  TEST_CASE("grammars of many rules") {
    CHECK(is_within_bounds(gbnf(
        "root ::= a0\n" + many([](const std::string& i) { return "a" + i + " ::= \"x\"\n"; }))));
    // Never defined, each named once.
    CHECK(is_refused(gbnf("root ::= " + many([](const std::string& i) { return "a" + i + " "; }))));
    // Each calls the next; the last is missing, or is the first.
    std::string chain = "root ::= a0\n";
    std::size_t n = 0;
    for (; chain.size() < kMost - 100; ++n)
      chain += "a" + std::to_string(n) + " ::= a" + std::to_string(n + 1) + "\n";
    CHECK(is_within_bounds(gbnf(chain + "a" + std::to_string(n) + " ::= \"x\"\n")));
    CHECK(gbnf(chain + "a" + std::to_string(n) + " ::= a0\n").find("left recursion") !=
          std::string::npos);
    CHECK(gbnf(chain + "a" + std::to_string(n) + " ::= []\n").find("cannot be satisfied") !=
          std::string::npos);
  }

  TEST_CASE("grammars whose calls may all be empty") {
    CHECK(is_within_bounds(gbnf("e ::= \"x\"?\nroot ::= " + repeat("e ", 90'000) + "\n")));
  }

  TEST_CASE("grammars and patterns with automata much larger than themselves") {
    CHECK(is_refused(gbnf("root ::= [ab]* \"a\" [ab]{5000}")));
    CHECK(is_within_bounds(gbnf("root ::= (" + repeat("\"a\"? ", 15'000) + ")*")));
    CHECK(is_refused(pattern("a[ab]{3000}")));
    CHECK(is_refused(pattern(repeat("(", kMost))));
    CHECK(is_refused(pattern(repeat("|", kMost) + "a")));
    CHECK(is_within_bounds(pattern("^(" + repeat("a?", 1000) + ")*$")));
  }

  TEST_CASE("schemas of many members") {
    CHECK(is_refused(schema("{\"properties\":{" +
                            many([](const std::string& i) { return "\"a" + i + "\":{},"; }) +
                            "\"z\":{}}}")));
    CHECK(is_refused(schema("{\"x-\":{" +
                            many([](const std::string& i) { return "\"" + i + "\":1,"; }) +
                            "\"z\":1}}")));
    CHECK(is_refused(schema("{\"required\":[" +
                            many([](const std::string& i) { return "\"" + i + "\","; }) +
                            "\"z\"]}")));
    CHECK(is_within_bounds(
        schema("{\"enum\":[" + many([](const std::string& i) { return i + ","; }) + "0]}")));
    CHECK(is_within_bounds(
        schema("{\"anyOf\":[" +
               many([](const std::string& i) { return "{\"const\":" + i + "},"; }) + "{}]}")));
    CHECK(is_within_bounds(schema("{\"prefixItems\":[" + repeat("{},", 300'000) + "{}]}")));
  }

  TEST_CASE("schemas of long names and deep places") {
    // Each place's name would hold the long one.
    std::string inner;
    for (int i = 0; i < 1900; ++i)
      inner += "\"" + std::to_string(i) + "\":{},";
    CHECK(is_within_bounds(schema("{\"properties\":{\"" + std::string(500'000, 'n') +
                                  "\":{\"properties\":{" + inner + "\"z\":{}}}}}")));
    CHECK(is_within_bounds(
        schema("{\"properties\":{\"a\":{\"pattern\":\"" + std::string(500'000, 'n') + "\"}}}")));
    CHECK(is_refused(schema(repeat("[", kMost))));
    CHECK(is_refused(schema(repeat("{\"items\":", 1000) + "{}" + repeat("}", 1000))));
  }
}

}  // namespace kinglet::test
