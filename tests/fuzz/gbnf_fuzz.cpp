// Fuzz target "gbnf": grammars as people write them.
#include <random>
#include <string>

#include "inference/gguf_format.h"
#include "inference/grammar/gbnf.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/grammar_walk.h"
#include "tests/fuzz/text_mutations.h"

namespace kinglet::test {
namespace {

constexpr std::string_view kWords[] = {
    "root", "::=", "|",      "(",     ")",           "*",         "+",    "?",
    "{",    "}",   "{2}",    "{0,3}", "{1,}",        "{99}",      "[a-z", "[^",
    "]",    "[]",  "[^]",    ".",     "\"",          "\"ab\"",    "\"\"", "\\x41",
    "\\u",  "\\n", "\\\"",   "\\",    "\\U0001F600", "#",         "\n",   " ",
    "\r\n", "r0",  "r1",     "r2",    "r3 ::= ",     "root ::= ", "\n| ", "\xff",
    "\xc3", "ä",   "[\xe4]", "root",  "-",           ","};

/// Rules of all that the notation knows. A rule calls later ones, and earlier ones behind something
/// that is read.
class RandomGrammar {
 public:
  explicit RandomGrammar(std::uint64_t seed) : random_(seed), n_rules_(1 + random_() % 4) {}

  std::string text() {
    std::string text;
    for (rule_ = 0; rule_ <= n_rules_; ++rule_)
      text += name(rule_) + " ::= " + choice(0) + (below(5) == 0 ? " # why\n" : "\n");
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  static std::string name(std::size_t i) { return i == 0 ? "root" : "r" + std::to_string(i - 1); }

  std::string choice(int depth) {
    std::string text = sequence(depth);
    for (std::size_t n = below(3); n > 0; --n)
      text += " | " + sequence(depth);
    return text;
  }
  std::string sequence(int depth) {
    std::string text;
    for (std::size_t n = 1 + below(3); n > 0; --n)
      text += (text.empty() ? "" : " ") + item(depth);
    return text;
  }
  std::string item(int depth) {
    static constexpr const char* kRepeats[] = {"", "", "", "*", "+", "?", "{2}", "{0,3}", "{1,}"};
    static constexpr const char* kAtoms[] = {"\"a\"",
                                             "\"true\"",
                                             "[a-z]",
                                             "[^a\\n]",
                                             ".",
                                             "\"\\\"\"",
                                             "[0-9_]",
                                             "\"ä中\"",
                                             "[\\x80-\\u4e2d]"};
    const std::size_t kind = below(depth < 2 ? 8 : 6);
    std::string text;
    if (kind == 0 && rule_ < n_rules_) {
      text = name(rule_ + 1 + below(n_rules_ - rule_));
    } else if (kind == 1) {
      // Itself again, or not: else there might be no end.
      return "(\"(\" " + name(below(n_rules_ + 1)) + " \")\" | \"x\")";
    } else if (kind >= 6) {
      text = "(" + choice(depth + 1) + ")";
    } else {
      text = kAtoms[below(std::size(kAtoms))];
    }
    return text + kRepeats[below(std::size(kRepeats))];
  }

  std::mt19937_64 random_;
  std::size_t n_rules_;
  std::size_t rule_ = 0;
};

bool use_gbnf(std::span<const std::byte> bytes) {
  const std::string_view text = inference::as_text(bytes);
  auto machine = inference::grammar::compile_gbnf(text);
  if (!machine) {
    const std::string& why = machine.error().message;
    require(why.find("line ") == 0 || why.find("rule '") == 0 || why.find("grammar") != why.npos,
            "a refusal names a line or a rule: " + why.substr(0, 200));
    require(why.size() < 400, "a refusal is short");
    return false;
  }
  walk_grammar(*std::move(machine), seed_of(text), [](std::string_view) {});
  return true;
}

}  // namespace

extern const FuzzTarget kGbnfFuzz;
const FuzzTarget kGbnfFuzz = {
    .name = "gbnf",
    .use = use_gbnf,
    .good = [](std::uint64_t seed) { return to_bytes(RandomGrammar(seed).text()); },
    .spoil = [](Bytes& bytes, std::uint64_t seed) { spoil_text(bytes, seed, kWords); },
    .most_bytes = std::size_t{192} << 20,
    .bytes_per_byte = 64,
};

}  // namespace kinglet::test
