#include "inference/grammar/pattern.h"

#include <string>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::grammar::compile_pattern;

namespace {

/// For each ASCII text 'y' when the pattern is found in it, else 'n'; or the error.
std::string finds(const std::string& pattern, const std::vector<std::string>& texts) {
  const auto automaton = compile_pattern(pattern);
  if (!automaton) return automaton.error().message;
  std::string answers;
  for (const std::string& text : texts) {
    std::size_t state = 0;
    bool is_lost = false;
    for (const char c : text) {
      bool found = false;
      for (const auto& step : automaton->states[state].steps) {
        const auto point = static_cast<unsigned char>(c);
        if (step.range.first <= point && point <= step.range.last) {
          state = step.to;
          found = true;
          break;
        }
      }
      is_lost |= !found;
      if (is_lost) break;
    }
    answers += !is_lost && automaton->states[state].is_final ? 'y' : 'n';
  }
  return answers;
}

}  // namespace

TEST_SUITE("inference/grammar/pattern") {
  TEST_CASE("a pattern is found anywhere, unless it is anchored") {
    CHECK(finds("ab", {"ab", "xaby", "a", "a b"}) == "yynn");
    CHECK(finds("^ab", {"ab", "abx", "xab"}) == "yyn");
    CHECK(finds("ab$", {"ab", "xab", "abx"}) == "yyn");
    CHECK(finds("^ab$", {"ab", "abx", "xab"}) == "ynn");
    CHECK(finds("", {"", "x"}) == "yy");
    CHECK(finds("^$", {"", "x"}) == "yn");
    CHECK(finds("^(a|b)$|^cd", {"a", "b", "cdx", "ax", "xcd"}) == "yyynn");
    CHECK(finds("(^a|b)$", {"a", "xb", "xa", "ab"}) == "yyny");
    CHECK(finds("a^b", {"ab", "a", ""}) == "nnn");
    CHECK(finds("a$b", {"ab"}) == "n");
  }

  TEST_CASE("classes, escapes and repetitions are ECMAScript's") {
    CHECK(finds("^\\d{3}-\\d{2,}$", {"123-45", "123-456", "12-45", "123-4"}) == "yynn");
    CHECK(finds("^[a-f0-9]+?$", {"a0", "", "g"}) == "ynn");
    CHECK(finds("^[^\\s,]*$", {"ab", "a b", "a,b", ""}) == "ynny");
    CHECK(finds("^\\w+@\\w+\\.\\w{2,3}$", {"me@home.de", "me@home", "@home.de"}) == "ynn");
    CHECK(finds("^.$", {"a", "\n", "\r", " "}) == "ynny");
    CHECK(finds("^(?:ab){2}$", {"abab", "ab"}) == "yn");
    CHECK(finds("^[\\]\\-a]+$", {"]-a", "b"}) == "yn");
    CHECK(finds("^[a-]$", {"a", "-", "b"}) == "yyn");
    CHECK(finds("^\\x41\\u0042\\/$", {"AB/"}) == "y");
    CHECK(finds("^\\D\\W\\S$", {"a x", "1 x", "ab "}) == "ynn");
  }

  TEST_CASE("what is not regular is refused, and what is no pattern") {
    for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)b", "(a)\\1", "\\bword", "\\p{L}"}) {
      INFO(pattern);
      const auto automaton = compile_pattern(pattern);
      REQUIRE(!automaton.has_value());
      CHECK(automaton.error().code == ErrorCode::kUnsupported);
    }
    for (const char* pattern : {"(a", "a)", "[a", "*", "a{2,1}", "[z-a]", "a{", "\\x4", "]"}) {
      INFO(pattern);
      const auto automaton = compile_pattern(pattern);
      REQUIRE(!automaton.has_value());
      CHECK(automaton.error().code == ErrorCode::kInvalidArgument);
    }
    CHECK(finds("(a{100}){200}", {}).find("states") != std::string::npos);
    // Exponential when made deterministic.
    CHECK(finds("(a|b)*a(a|b){20}", {}).find("states") != std::string::npos);
    CHECK(!compile_pattern(std::string(100'000, '(')).has_value());
  }
}

}  // namespace kinglet::test
