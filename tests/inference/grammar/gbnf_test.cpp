#include "inference/grammar/gbnf.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/inference/grammar/grammar_lab.h"

namespace kinglet::test {

using inference::grammar::compile_gbnf;

namespace {

/// For each text 'y' when the grammar has it, else 'n'.
std::string accepts(const std::string& grammar, const std::vector<std::string>& texts) {
  auto machine = compile_gbnf(grammar);
  if (!machine) return machine.error().message;
  const GrammarLab lab(std::move(*machine));
  std::string answers;
  for (const std::string& text : texts)
    answers += lab.accepts(text) ? 'y' : 'n';
  return answers;
}

std::string error(const std::string& grammar) {
  return accepts(grammar, {});
}

}  // namespace

TEST_SUITE("inference/grammar/gbnf") {
  TEST_CASE("literals, alternatives, groups and classes") {
    CHECK(accepts("root ::= \"ab\" | \"c\"", {"ab", "c", "", "a", "abc"}) == "yynnn");
    CHECK(accepts("root ::= \"a\" (\"b\" | \"c\" | ) \"d\"", {"abd", "acd", "ad", "abcd"}) ==
          "yyyn");
    CHECK(accepts("root ::= [a-c_] [^a-c\\n]", {"ax", "_d", "aa", "dx", "a\n", "aä"}) == "yynnny");
    CHECK(accepts("root ::= .", {"a", "ä", "中", "😀", "", "ab", "\xff"}) == "yyyynnn");
    CHECK(accepts("root ::= \"\\\"\\x41\\u00e4\\U0001F600\\\\\"", {"\"Aä😀\\"}) == "y");
    CHECK(accepts("root ::= [\\]\\-\\^]+", {"]-^", "a"}) == "yn");
  }

  TEST_CASE("repetitions") {
    CHECK(accepts("root ::= \"a\"* \"b\"+ \"c\"?", {"b", "aabbc", "", "ac", "bcc"}) == "yynnn");
    CHECK(accepts("root ::= [0-9]{2}", {"1", "12", "123"}) == "nyn");
    CHECK(accepts("root ::= [0-9]{2,3}", {"1", "12", "123", "1234"}) == "nyyn");
    CHECK(accepts("root ::= (\"a\" \"b\"){1,}", {"", "ab", "abab", "aba"}) == "nyyn");
    CHECK(accepts("root ::= \"a\" \"b\"{0} \"c\"", {"ac", "abc"}) == "yn");
    CHECK(accepts("root ::= (\"a\"* \"b\"?)*", {"", "aabab", "bb", "c"}) == "yyyn");
    CHECK(accepts("root ::= ((\"a\"{2}){2}){1,2}", {"aaaa", "aaaaaaaa", "aaaaaa"}) == "yyn");
  }

  TEST_CASE("rules call each other, also themselves") {
    CHECK(accepts("root ::= \"(\" root? \")\"", {"()", "((()))", "(", "(()"}) == "yynn");
    CHECK(accepts("root ::= list\nlist ::= item (\",\" item)*\nitem ::= [a-z]+ | \"[\" list \"]\"",
                  {"a", "a,b", "[a,[b]],c", "[a", "a,"}) == "yyynn");
    // What calls itself at its end.
    CHECK(accepts("root ::= \"a\" root | \"b\"", {"b", "aaab", "a"}) == "yyn");
    // Two readings until the end tells.
    CHECK(accepts("root ::= x | y\nx ::= \"a\"* \"x\"\ny ::= \"a\"* \"y\"",
                  {"aaax", "aaay", "aaa"}) == "yyn");
    // Rules that may be empty.
    CHECK(accepts("root ::= ws \"a\" ws ws\nws ::= \" \"*", {"a", "  a  ", "a b"}) == "yyn");
  }

  TEST_CASE("lines, comments and layout") {
    CHECK(accepts("# a grammar\nroot ::= # first\n  \"a\"\n", {"a"}) ==
          "line 3: a rule's name is expected");
    CHECK(accepts("root ::= \"a\" # one\n  | \"b\"\n\nother ::= \"c\"\n", {"a", "b", "c"}) ==
          "yyn");
    CHECK(accepts("root ::= (\n  \"a\"\n  \"b\"\n)", {"ab"}) == "y");
    CHECK(accepts("root ::= a-b_1\r\na-b_1 ::= \"x\"", {"x"}) == "y");
  }

  TEST_CASE("what is no grammar is refused where it is") {
    CHECK(error("") == "the grammar has no rule 'root'");
    CHECK(error("a ::= \"x\"") == "the grammar has no rule 'root'");
    CHECK(error("root ::= b\n") == "line 1: there is no rule 'b'");
    CHECK(error("root ::= \"a\"\nroot ::= \"b\"") == "line 2: rule 'root' is there twice");
    CHECK(error("root = \"a\"") == "line 1: '::=' is expected after 'root'");
    CHECK(error("root ::= \"a") == "line 1: a string or class is not closed");
    CHECK(error("root ::= \"\\q\"") == "line 1: an escape that is not known");
    CHECK(error("root ::= (\"a\"") == "line 1: a '(' is not closed");
    CHECK(error("root ::= \"a\")") == "line 1: ')' without '('");
    CHECK(error("root ::= *") == "line 1: there is nothing to repeat");
    CHECK(error("root ::= [b-a]") == "line 1: a range in a class runs backwards");
    CHECK(error("root ::= \"a\"{3,2}") == "line 1: a repetition's most is less than its least");
    CHECK(error("root ::= \"a\"{99999999999}").find("repetitions") != std::string::npos);
    CHECK(error("root ::= \"\xff\"") == "line 1: the text is not UTF-8");
    CHECK(error("root ::= \"\\ud800\"") == "line 1: there is no such character");
    CHECK(error("root ::= []").find("cannot be satisfied") != std::string::npos);
    CHECK(error("root ::= \"a\" root").find("rule 'root' cannot be satisfied") == 0);
  }

  TEST_CASE("left recursion is refused, however it comes about") {
    for (const char* grammar : {"root ::= root \"a\" | \"b\"",
                                "root ::= a\na ::= b \"x\"\nb ::= a | \"y\"",
                                "root ::= e root \"a\" | \"b\"\ne ::= \"x\"?"}) {
      INFO(grammar);
      CHECK(error(grammar).find("left recursion") != std::string::npos);
    }
    CHECK(error("root ::= \"x\" root | \"y\"").empty());
  }

  TEST_CASE("how deep or wide a grammar is costs an error, not the process") {
    const std::string deep(100'000, '(');
    CHECK(error("root ::= " + deep + "\"a\"").find("states") != std::string::npos);
    CHECK(accepts("root ::= " + std::string(3000, '(') + "\"a\"" + std::string(3000, ')'), {"a"}) ==
          "y");
    std::string nested = "\"a\"";
    for (int i = 0; i < 6; ++i)
      nested = "(" + nested + "){100}";
    CHECK(error("root ::= " + nested).find("states") != std::string::npos);
    CHECK(error(std::string(2 << 20, ' ')).find("bytes") != std::string::npos);
    std::string alike = "root ::= \"x\"";
    for (int i = 0; i < 200; ++i)
      alike += " | [ab]* \"a\" [ab]{12} \"" + std::to_string(i) + "\"";
    CHECK(error(alike).find("rule 'root': the grammar has too many alternatives") == 0);
    std::string stars = "\"a\"";
    for (int i = 0; i < 200; ++i)
      stars = "(" + stars + ")*";
    CHECK(accepts("root ::= " + stars, {"", "aaa"}) == "yy");
  }
}

}  // namespace kinglet::test
