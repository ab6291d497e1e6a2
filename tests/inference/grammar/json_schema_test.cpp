#include "inference/grammar/json_schema.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/inference/grammar/grammar_lab.h"

namespace kinglet::test {

using inference::grammar::compile_json_schema;

namespace {

std::string accepts(const std::string& schema, const std::vector<std::string>& texts) {
  auto machine = compile_json_schema(schema);
  if (!machine) return machine.error().message;
  const GrammarLab lab(std::move(*machine));
  std::string answers;
  for (const std::string& text : texts)
    answers += lab.accepts(text) ? 'y' : 'n';
  return answers;
}

std::string error(const std::string& schema) {
  return accepts(schema, {});
}

}  // namespace

TEST_SUITE("inference/grammar/json_schema") {
  TEST_CASE("types") {
    CHECK(accepts(R"({"type":"null"})", {"null", "nul", "true"}) == "ynn");
    CHECK(accepts(R"({"type":"boolean"})", {"true", "false", "null"}) == "yyn");
    CHECK(accepts(R"({"type":["integer","null"]})", {"1", "null", "\"\""}) == "yyn");
    CHECK(accepts("{}", {"1", "[]", "{}", "\"a\"", R"({"a":[{"b":null}]})", "["}) == "yyyyyn");
    CHECK(accepts("true", {"1"}) == "y");
    CHECK(accepts(R"({"type":"integer"})", {"0", "-12", "1.0", "01", "-0", "1e3"}) == "yynnnn");
    CHECK(accepts(R"({"type":"number"})", {"0", "-1.50", "2e-7", "1.", ".5", "00"}) == "yyynnn");
  }

  TEST_CASE("strings: escapes, lengths in characters, patterns") {
    CHECK(accepts(R"({"type":"string"})",
                  {R"("")", R"("aä中😀")", R"("\n\"\u00e4")", R"("\ud83d")", R"("\x")", "\"\n\""}) ==
          "yyynnn");
    CHECK(accepts(R"({"type":"string","minLength":2,"maxLength":3})",
                  {R"("a")", R"("aä")", R"("\n中b")", R"("abcd")"}) == "nyyn");
    CHECK(accepts(R"({"minLength":1000})",
                  {"\"" + std::string(999, 'x') + "\"", "\"" + std::string(1000, 'x') + "\""}) ==
          "ny");
    CHECK(accepts(R"({"type":"string","pattern":"^[a-z]+\"$"})", {R"("ab\"")", R"("ab")"}) == "yn");
    CHECK(accepts(R"({"type":"string","pattern":"b"})", {R"("abc")", R"("b")", R"("ac")"}) ==
          "yyn");
    CHECK(accepts(R"({"type":"string","pattern":"^(ab)*$","minLength":3,"maxLength":5})",
                  {R"("abab")", R"("ab")", R"("ababab")", R"("aba")"}) == "ynnn");
  }

  TEST_CASE("numbers within limits") {
    CHECK(accepts(R"({"type":"integer","minimum":-5,"maximum":12})",
                  {"-5", "-6", "0", "12", "13", "7", "-0", "012"}) == "ynyynynn");
    CHECK(accepts(R"({"type":"integer","exclusiveMinimum":9,"exclusiveMaximum":101})",
                  {"9", "10", "99", "100", "101"}) == "nyyyn");
    CHECK(accepts(R"({"type":"number","minimum":-0.5,"exclusiveMaximum":1.25})",
                  {"-0.5", "-0.51", "1.249", "1.25", "0", "0.000001", "1.2"}) == "ynynyyy");
    CHECK(accepts(R"({"type":"number","minimum":0})", {"0", "17", "999999999.5", "-1"}) == "yyyn");
    CHECK(accepts(R"({"type":"integer","minimum":1.5,"maximum":2.5})", {"1", "2", "3"}) == "nyn");
    CHECK(accepts(R"({"minimum":3,"exclusiveMinimum":3})", {"3", "3.1", "4"}) == "nyy");
  }

  TEST_CASE("objects: order, required and optional, additional") {
    const std::string schema =
        R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"},)"
        R"("c":{"type":"boolean"}},"required":["b"]})";
    CHECK(accepts(schema,
                  {R"({"a":1,"b":null,"c":true})",
                   R"({"b":null})",
                   R"({"b":null,"c":false})",
                   R"({"a":1})",
                   R"({"b":null,"a":1})",
                   R"({"b":null,})",
                   R"({ "b": null })",
                   "{\n  \"b\": null\n}",
                   "{}"}) == "yyynnnyyn");
    CHECK(accepts(R"({"properties":{"a":{"type":"null"}}})",
                  {"{}", R"({"a":null})", R"({"b":1})"}) == "yyn");
    CHECK(accepts(R"({"additionalProperties":{"type":"integer"}})",
                  {"{}", R"({"x":1,"y":2})", R"({"x":null})", R"({"":1})"}) == "yynn");
    // Nothing additional is a declared name in disguise.
    CHECK(accepts(
              R"({"properties":{"ab":{"type":"null"}},"additionalProperties":{"type":"integer"}})",
              {R"({"ab":null,"a":1,"abc":2,"b":3})", R"({"ab":1})", R"({"\u0061b":1})"}) == "ynn");
    CHECK(accepts(R"({"required":["k"]})", {R"({"k":[1]})", "{}", R"({"k":1,"z":2})"}) == "yny");
    CHECK(accepts(R"({"properties":{"x\"y/ä":true}})", {R"({"x\"y/ä":1})"}) == "y");
  }

  TEST_CASE("arrays: items, first items, counts") {
    CHECK(accepts(R"({"type":"array","items":{"type":"integer"}})",
                  {"[]", "[1]", "[1, 2,3]", "[1,]", "[,1]", "[true]"}) == "yyynnn");
    CHECK(accepts(R"({"items":{"type":"integer"},"minItems":2,"maxItems":3})",
                  {"[1]", "[1,2]", "[1,2,3]", "[1,2,3,4]", "[]"}) == "nyynn");
    CHECK(accepts(R"({"prefixItems":[{"type":"integer"},{"type":"null"}],"items":false})",
                  {"[]", "[1]", "[1,null]", "[1,null,1]", "[null]"}) == "yyynn");
    CHECK(accepts(R"({"prefixItems":[{"type":"integer"}],"items":{"type":"null"},"minItems":3})",
                  {"[1,null]", "[1,null,null]", "[1]"}) == "nyn");
    CHECK(
        accepts(R"({"items":[{"type":"integer"}],"additionalItems":{"type":"null"},"maxItems":2})",
                {"[1,null]", "[1,null,null]", "[]"}) == "yny");
    CHECK(accepts(R"({"type":"array","maxItems":0})", {"[]", "[1]"}) == "yn");
    CHECK(accepts(R"({"items":{"type":"null"},"minItems":200})", {"[null]"}) == "n");
  }

  TEST_CASE("values, references, choices") {
    CHECK(accepts(R"({"enum":["a",1,null,{"x":[1]}]})",
                  {"\"a\"", "1", "null", R"({"x":[1]})", "\"b\""}) == "yyyyn");
    CHECK(accepts(R"({"type":"string","enum":["a",1]})", {"\"a\"", "1"}) == "yn");
    CHECK(accepts(R"({"const":"ö\n"})", {R"("ö\n")"}) == "y");
    CHECK(accepts(R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"}}]})",
                  {"1", "[]", "[[1],2]", "null"}) == "yyyn");
    CHECK(accepts(R"({"anyOf":[{"properties":{"k":{"const":1}},"required":["k"]},)"
                  R"({"properties":{"k":{"const":2},"l":true},"required":["k"]}]})",
                  {R"({"k":1})", R"({"k":2,"l":3})", R"({"k":1,"l":3})"}) == "yyn");
    CHECK(accepts(R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"null"}}})", {"null", "1"}) ==
          "yn");
    CHECK(accepts(R"({"definitions":{"node":{"type":"object","properties":{"next":)"
                  R"({"$ref":"#/definitions/node"}}}},"allOf":[{"$ref":"#/definitions/node"}]})",
                  {"{}", R"({"next":{"next":{}}})", R"({"next":1})"}) == "yyn");
    CHECK(accepts(R"({"title":"t","format":"email","x-y":1,"type":"null"})", {"null"}) == "y");
  }

  TEST_CASE("what is not supported is refused by name and place") {
    CHECK(error(R"({"properties":{"a/b":{"uniqueItems":true}}})") ==
          "#/properties/a~1b: 'uniqueItems' is not supported");
    CHECK(error(R"({"oneOf":[true]})") == "#: 'oneOf' is not supported");
    CHECK(error(R"({"allOf":[true,true]})") == "#: 'allOf' of several is not supported");
    CHECK(error(R"({"$ref":"#","minLength":1})") ==
          "#: '$ref' beside 'minLength' is not supported");
    CHECK(error(R"({"enum":[1],"minimum":0})") ==
          "#: 'minimum' beside 'enum' or 'const' is not supported");
    CHECK(error(R"({"$ref":"http://x/y"})").find("only this document") != std::string::npos);
    CHECK(error(R"({"$ref":"#name"})").find("anchor") != std::string::npos);
    CHECK(error(R"x({"type":"string","pattern":"(?=a)"})x").find("#: 'pattern': look-around") == 0);
    CHECK(error(R"({"type":"number","maximum":1e300})").find("#: 'maximum' of 1e+300") == 0);
  }

  TEST_CASE("what is no schema is refused") {
    CHECK(error("{") == "the schema is no JSON");
    CHECK(error("[]") == "#: a schema is an object, true or false");
    CHECK(error(R"({"type":"strin"})") == "#: there is no type 'strin'");
    CHECK(error(R"({"items":{"type":7}})") == "#/items: there is no type '7'");
    CHECK(error(R"({"$ref":"#/nowhere"})") == "#: '$ref' to '#/nowhere': there is no such place");
    CHECK(error(R"({"minLength":-1})") == "#: 'minLength' is no count");
    CHECK(error(R"({"properties":[]})") == "#: 'properties' is no object");
    CHECK(error(std::string(300, '[')).find("nested") != std::string::npos);
    CHECK(error(R"({"minimum":"1"})") == "#: 'minimum' is no number");
  }

  TEST_CASE("what cannot be satisfied is refused, named as near as can be") {
    CHECK(error("false") == "# cannot be satisfied: there is no such text");
    CHECK(error(R"({"properties":{"a":{"not_required":1}}})").find("not_required") !=
          std::string::npos);
    CHECK(error(R"({"properties":{"a":false},"required":["a"]})") ==
          "#/properties/a cannot be satisfied: there is no such text");
    CHECK(error(R"({"minLength":3,"maxLength":2})") ==
          "#: cannot be satisfied: 'maxLength' is less than 'minLength'");
    CHECK(
        error(R"({"pattern":"^(ab)*$","minLength":3,"maxLength":3})").find("cannot be satisfied") !=
        std::string::npos);
    CHECK(error(R"({"type":"integer","minimum":0.2,"maximum":0.8})").find("cannot be satisfied") !=
          std::string::npos);
    CHECK(error(R"({"items":false,"minItems":1})").find("cannot be satisfied") !=
          std::string::npos);
    CHECK(
        error(R"({"prefixItems":[true],"items":false,"minItems":3})").find("cannot be satisfied") !=
        std::string::npos);
    CHECK(error(R"({"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"]})")
              .find("cannot be satisfied") != std::string::npos);
    // What is only too long is not called impossible.
    const std::string too_long =
        " needs texts of more than 1073741823 bytes; ask for fewer repetitions, or less nesting of "
        "them";
    CHECK(error(R"({"items":{"type":"null"},"minItems":1e9})") == "#" + too_long);
    std::string tuples = R"({"$ref":"#/$defs/d0","$defs":{"d40":{"type":"null"})";
    for (int i = 0; i < 40; ++i) {
      const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + R"("})";
      tuples += R"(,"d)" + std::to_string(i) + R"(":{"prefixItems":[)" + next + "," + next +
                R"(],"minItems":2,"maxItems":2})";
    }
    CHECK(error(tuples + "}}").ends_with(too_long));
    CHECK(error(R"({"pattern":"a\\"})") ==
          R"(#: 'pattern': a '\' with nothing behind it (at byte 2))");
    std::string choices = R"({"anyOf":[)";
    for (int i = 0; i < 30; ++i)
      choices += (i > 0 ? "," : "") + (R"({"pattern":"^.{)" + std::to_string(1500 + i)) + R"(}$"})";
    CHECK(error(choices + "]}").find("states") != std::string::npos);
    CHECK(error(choices + "]}").rfind("#/anyOf/") == 0);
    CHECK(error(R"({"enum":[]})") == "#: no value of 'enum' is accepted");
    CHECK(error(R"({"$ref":"#"})").find("left recursion") != std::string::npos);
    // What is optional and cannot be is left out.
    CHECK(accepts(R"({"properties":{"a":false,"b":true}})", {"{}", R"({"b":1})", R"({"a":1})"}) ==
          "yyn");
  }
}

}  // namespace kinglet::test
