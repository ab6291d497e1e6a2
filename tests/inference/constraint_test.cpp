#include "inference/constraint.h"

#include <algorithm>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "inference/grammar/gbnf.h"
#include "inference/grammar/json_schema.h"
#include "tests/inference/grammar/grammar_lab.h"

namespace kinglet::test {

using inference::ConstraintState;
using inference::TokenId;
using inference::TokenMask;
using inference::grammar::compile_gbnf;
using inference::grammar::compile_json_schema;
using inference::grammar::Machine;

namespace {

Machine machine_of(Result<Machine> machine) {
  if (!machine) FAIL(machine.error().message);
  return std::move(*machine);
}

const char* const kGrammars[] = {
    "root ::= (\"return\" | \"ret\" | \"the\") \" \"? value\nvalue ::= \"value\" | \"(\" value "
    "\")\"",
    "root ::= [a-z]{3,9} (\" \" [a-z]+)*",
    "root ::= x | y | z\nx ::= \"aa\"* \"b\"\ny ::= \"aaa\"* \"c\"\nz ::= .*",
    "root ::= pair+\npair ::= \"{\" (pair | [^{}])* \"}\"",
};
const char* const kSchemas[] = {
    "true",
    R"({"type":"string","minLength":4,"maxLength":9})",
    R"({"type":"array","items":{"type":"string","maxLength":3},"minItems":3,"maxItems":6})",
    R"({"properties":{"name":{"type":"string"},"value":{"type":"number"},"in":{"enum":["vector","the"]}},)"
    R"("required":["name","in"],"additionalProperties":{"type":"boolean"}})",
    R"({"anyOf":[{"type":"integer","minimum":-20,"maximum":321},{"type":"array","items":{"$ref":"#"}},)"
    R"({"properties":{"name":{"$ref":"#"}},"required":["name"]}]})",
    R"({"type":"string","pattern":"^(ab|\"[0-9]{2}){2,}$"})",
};

/// Arrays of arrays, in `n` ways that differ in what nobody has written yet.
std::string arrays_in_many_ways(int n) {
  std::string schema = R"({"$ref":"#/$defs/s","$defs":{"s":{"anyOf":[)";
  for (int i = 0; i < n; ++i) {
    schema += R"({"type":"array","items":{"$ref":"#/$defs/s"},"maxItems":)" +
              std::to_string(1000 + i) + "}" + (i + 1 < n ? "," : "");
  }
  return schema + "]}}}";
}

/// Each rule is two of the next one, or an x.
std::string chain_of_pairs(int n) {
  std::string grammar = "root ::= r0 \"!\"\n";
  for (int i = 0; i < n; ++i) {
    const std::string next = "r" + std::to_string(i + 1);
    grammar += "r" + std::to_string(i) + " ::= " + next + " " + next + " | \"x\"\n";
  }
  return grammar + "r" + std::to_string(n) + " ::= \"x\"";
}

/// The most that one mask or one token took, on a way drawn at random.
struct Most {
  std::uint64_t work = 0;
  std::size_t frames = 0;
};
Most most_of(const GrammarLab& lab, std::uint32_t n_left, std::mt19937& random) {
  ConstraintState state = lab.state();
  Most most;
  std::uint64_t before = 0;
  const auto look = [&] {
    most.work = std::max(most.work, state.work() - before);
    most.frames = std::max(most.frames, state.n_frames());
    before = state.work();
  };
  while (n_left > 0 && !state.must_end()) {
    TokenMask mask(lab.vocabulary().size());
    state.allow(n_left--, mask);
    look();
    std::vector<TokenId> allowed;
    for (TokenId id = 0; lab.vocabulary().contains(id); ++id) {
      if (mask.allows(id) && !lab.trie().text(id).empty()) allowed.push_back(id);
    }
    if (allowed.empty()) break;
    state.accept(allowed[random() % allowed.size()]);
    look();
  }
  return most;
}

}  // namespace

TEST_SUITE("inference/constraint") {
  TEST_CASE("a mask is exactly the tokens after which the text can still be completed") {
    std::mt19937 random(3);
    const auto walk = [&](Machine machine) {
      const GrammarLab lab(std::move(machine));
      for (int round = 0; round < 6; ++round) {
        ConstraintState state = lab.state();
        std::uint32_t n_left = lab.shortest() + random() % 30;
        for (; n_left > 0 && !state.must_end(); --n_left) {
          // Some limits are tight, some are not.
          const std::uint32_t slack = std::vector<std::uint32_t>{0, 1, 3, 50}[random() % 4];
          const std::string trouble = lab.check_mask(state, state.n_needed() + slack);
          REQUIRE(trouble.empty());
          TokenMask mask(lab.vocabulary().size());
          state.allow(n_left, mask);
          std::vector<TokenId> allowed;
          for (TokenId id = 0; lab.vocabulary().contains(id); ++id) {
            if (mask.allows(id) && !lab.trie().text(id).empty()) allowed.push_back(id);
          }
          if (allowed.empty()) break;
          state.accept(allowed[random() % allowed.size()]);
        }
      }
    };
    for (const char* grammar : kGrammars) {
      INFO(grammar);
      walk(machine_of(compile_gbnf(grammar)));
    }
    for (const char* schema : kSchemas) {
      INFO(schema);
      walk(machine_of(compile_json_schema(schema)));
    }
  }

  TEST_CASE("no limit cuts a text short, however tight") {
    std::mt19937 random(4);
    const auto draw = [&](const auto& compile, const char* source) {
      INFO(source);
      const GrammarLab lab(machine_of(compile(source)));
      for (std::uint32_t slack = 0; slack < 40; ++slack) {
        const auto drawn = lab.draw(lab.shortest() + slack, random);
        CHECK(drawn.trouble == "");
        CHECK(lab.accepts(drawn.text));
      }
    };
    for (const char* grammar : kGrammars)
      draw(compile_gbnf, grammar);
    for (const char* schema : kSchemas)
      draw(compile_json_schema, schema);
  }

  TEST_CASE("the shortest text is counted in tokens") {
    const auto shortest = [](const char* grammar) {
      return GrammarLab(machine_of(compile_gbnf(grammar))).shortest();
    };
    CHECK(shortest("root ::= \"return\"") == 1);
    CHECK(shortest("root ::= \"return the value\"") == 3);
    CHECK(shortest("root ::= \"xyz\"") == 3);
    CHECK(shortest("root ::= \"a\"*") == 0);
    CHECK(shortest("root ::= [b-d]{5}") == 5);
    const auto of_schema = [](const char* schema) {
      return GrammarLab(machine_of(compile_json_schema(schema))).shortest();
    };
    CHECK(of_schema(R"({"type":"string"})") == 2);
    CHECK(of_schema(R"({"type":"string","minLength":100})") == 102);
    CHECK(of_schema(R"({"type":"array","items":{"type":"null"},"minItems":10})") == 21);
    CHECK(of_schema(R"({"type":"array","items":{"type":"string","minLength":7},"minItems":10})") ==
          101);
  }

  TEST_CASE("a long bounded string is masked from what is known of any place in it") {
    const GrammarLab lab(machine_of(compile_json_schema(R"({"type":"string","maxLength":10000})")));
    ConstraintState state = lab.state();
    TokenMask mask(lab.vocabulary().size());
    state.allow(20'000, mask);
    state.accept(*lab.vocabulary().find("\""));
    for (int i = 0; i < 10'000; ++i) {
      mask.clear();
      state.allow(20'000, mask);
      REQUIRE(mask.allows(*lab.vocabulary().find("a")));
      state.accept(*lab.vocabulary().find("a"));
    }
    mask.clear();
    state.allow(20'000, mask);
    CHECK(!mask.allows(*lab.vocabulary().find("a")));
    CHECK(mask.allows(*lab.vocabulary().find("\"")));
  }

  TEST_CASE("a grammar that is read in ever more ways stays within bounds") {
    const GrammarLab lab(machine_of(compile_gbnf(
        "root ::= a \"!\"\na ::= \"x\" | \"x\" a | \"x\" a a | \"xx\" a a a | \"(\" a \")\"")));
    ConstraintState state = lab.state();
    for (int i = 0; i < 200; ++i) {
      TokenMask mask(lab.vocabulary().size());
      state.allow(1000, mask);
      REQUIRE(mask.allows(*lab.vocabulary().find("x")));
      state.accept(*lab.vocabulary().find("x"));
    }
    CHECK(state.n_needed() == 1);
  }

  TEST_CASE("the work for a mask is bounded, however many ways there are to read a text") {
    std::mt19937 random(5);
    std::string doubling = "root ::= r0 \"!\"\n";
    std::string empty = "root ::= r0 \"!\"\n";
    for (int i = 0; i < 60; ++i) {
      const std::string here = std::to_string(i);
      const std::string next = "r" + std::to_string(i + 1);
      doubling += "r" + here + " ::= p" + here + " \"a\"? | q" + here + " \"b\"?\np" + here +
                  " ::= " + next + "\nq" + here + " ::= " + next + "\n";
      empty += "r" + here + " ::= " + next + " " + next + "\n";
    }
    doubling += "r60 ::= \"x\" r0?";
    empty += "r60 ::= \"x\"?";
    for (const std::string& grammar :
         {chain_of_pairs(3000), doubling, empty, std::string(kGrammars[2])}) {
      INFO(grammar.substr(0, 80));
      const GrammarLab lab(machine_of(compile_gbnf(grammar)));
      for (int round = 0; round < 3; ++round) {
        CHECK(most_of(lab, lab.shortest() + 40, random).work < 2 * ConstraintState::kMostWork);
      }
    }
    for (const int n : {8, 64, 200}) {
      const GrammarLab lab(machine_of(compile_json_schema(arrays_in_many_ways(n))));
      CHECK(most_of(lab, 60, random).work < 2 * ConstraintState::kMostWork);
    }
  }

  TEST_CASE("where ways are left out, texts are still whole and in time") {
    std::mt19937 random(6);
    const GrammarLab plain(machine_of(compile_gbnf(
        "root ::= a\na ::= \"[\" w ( a ( w \",\" w a )* )? w \"]\"\nw ::= [ \\n\\t]*")));
    const GrammarLab arrays(machine_of(compile_json_schema(arrays_in_many_ways(100))));
    const GrammarLab marks(machine_of(compile_gbnf("root ::= \"x\"+ \"!\"")));
    const GrammarLab pairs(machine_of(compile_gbnf(chain_of_pairs(1000))));
    for (std::uint32_t slack = 0; slack < 12; ++slack) {
      const auto array = arrays.draw(arrays.shortest() + 3 * slack, random);
      CHECK(array.trouble == "");
      CHECK_MESSAGE(plain.accepts(array.text), array.text);
      const auto pair = pairs.draw(pairs.shortest() + slack, random);
      CHECK(pair.trouble == "");
      CHECK_MESSAGE(marks.accepts(pair.text), pair.text);
    }
  }

  TEST_CASE("a rule that is reached through a thousand others is reached") {
    std::string grammar = "root ::= r0\n";
    for (int i = 0; i < 5000; ++i)
      grammar += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " \"a\"?\n";
    const GrammarLab lab(machine_of(compile_gbnf(grammar + "r5000 ::= \"x\"")));
    CHECK(lab.accepts("x"));
    CHECK(lab.accepts("xa"));
  }

  TEST_CASE("what an output has left behind is forgotten") {
    std::mt19937 random(7);
    const GrammarLab lab(machine_of(compile_gbnf(chain_of_pairs(3000))));
    CHECK(most_of(lab, 400, random).frames < 300'000);
  }
}

}  // namespace kinglet::test
