// `kinglet tokenize` against the tokenizer called directly.
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/daemon/home.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {
namespace {

using inference::ControlNames;
using inference::TextEnds;
using inference::Tokenizer;

struct TokenizeHome : Home {
  TokenizeHome() { write_synthetic_gguf({}, model); }

  /// What the verb prints for an input; the output holds errors, too.
  Outcome tokenize(std::vector<std::string> flags, const std::string& input) const {
    std::vector<std::string> arguments = {"tokenize", model};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    Child child(arguments, environment(), Errors::kInOutput);
    child.write(input);
    child.close_input();
    Outcome outcome;
    outcome.output = child.read_all();
    outcome.exit_code = child.wait();
    return outcome;
  }

  /// The line it should print.
  std::string line(const std::string& text, inference::EncodeOptions options = {}) const {
    const auto gguf = inference::Gguf::open(model).value();
    const Tokenizer tokenizer(std::make_shared<const inference::Vocabulary>(
        inference::vocabulary_from_gguf(gguf).value()));
    std::string ids;
    for (const auto id : tokenizer.encode(text, options))
      ids += (ids.empty() ? "" : " ") + std::to_string(id);
    return ids + "\n";
  }

  std::string model = *this / "model.gguf";
};

const std::string kCode = "int main() {\n  return 0;\n}\n";

}  // namespace

TEST_SUITE("daemon/commands/tokenize") {
  TEST_CASE("standard input is one text; its ids are one line") {
    const TokenizeHome home;
    CHECK(home.tokenize({}, kCode).output == home.line(kCode));
    CHECK(home.tokenize({}, "").output == "\n");
    const std::string with_nul("a\0b", 3);
    CHECK(home.tokenize({}, with_nul).output == home.line(with_nul));
    CHECK(home.tokenize({"--bos"}, kCode).output ==
          home.line(kCode, {.ends = TextEnds::kByVocabulary}));
  }

  TEST_CASE("names of control tokens are text, unless --control") {
    const TokenizeHome home;
    CHECK(home.tokenize({}, "a</s>b").output == home.line("a</s>b"));
    const std::string tokens = home.line("a</s>b", {.control_names = ControlNames::kTokens});
    CHECK(tokens != home.line("a</s>b"));
    CHECK(home.tokenize({"--control"}, "a</s>b").output == tokens);
    CHECK(home.tokenize({"--control", "--detokenize"}, tokens).output == "a</s>b");
    CHECK(home.tokenize({"--detokenize"}, tokens).output == "ab");
  }

  TEST_CASE("-0: a line for each text between NULs, and back, byte for byte") {
    const TokenizeHome home;
    const std::string input = kCode + '\0' + std::string() + '\0' + "x\xff\n y";
    const auto lines = home.tokenize({"-0"}, input);
    CHECK(lines.output == home.line(kCode) + "\n" + home.line("x\xff\n y"));
    CHECK(home.tokenize({"-0", "--detokenize"}, lines.output).output == input);
    CHECK(home.tokenize({"-0"}, "").output == "\n");
    CHECK(home.tokenize({"--detokenize"}, home.line(kCode)).output == kCode);
  }

  TEST_CASE("what is no token id is named") {
    const TokenizeHome home;
    auto outcome = home.tokenize({"--detokenize", "-0"}, "5 6\n7 eight\n");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.output.find("kinglet: standard input, line 2: word 2, \"eight\", is no token id; "
                              "give numbers separated by white space\n") != std::string::npos);
    outcome = home.tokenize({"--detokenize"}, "5 384");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.output ==
          "kinglet: standard input: the model has no token 384; its tokens are 0 to 383\n");
    CHECK(home.tokenize({"--detokenize", "--bos"}, "5").exit_code == 2);
    CHECK(home.run({"tokenize", home / "none.gguf"}).exit_code == 1);
  }
}

}  // namespace kinglet::test
