#include "inference/constraint.h"

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
}

}  // namespace kinglet::test
