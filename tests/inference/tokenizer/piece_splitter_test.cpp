#include "inference/tokenizer/piece_splitter.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace kinglet::inference {
namespace {

/// The pieces with a bar between two.
std::string pieces(std::string_view rule, std::string_view text) {
  const PieceSplitter splitter(*find_pre_tokenizer(rule));
  PieceSplitter::Scratch scratch(splitter);
  std::string out;
  splitter.split(text, scratch, [&](std::string_view piece) {
    CHECK(!piece.empty());
    if (!out.empty()) out += '|';
    out += piece;
  });
  return out;
}

}  // namespace

// The expected pieces follow from the models' published patterns, by hand.
TEST_SUITE("inference/tokenizer/piece_splitter") {
  TEST_CASE("gpt-2: words, numbers and signs take one space along") {
    CHECK(pieces("gpt-2", "if (x1 == 42)\n    it's") == "if| (|x|1| ==| 42|)|\n   | it|'s");
    CHECK(pieces("gpt-2", "IT'S  \t ") == "IT|'|S|  \t ");
    CHECK(pieces("gpt-2", "\u00c4pfel \u4e2d\u6587\u3002") == "\u00c4pfel| \u4e2d\u6587|\u3002");
  }

  TEST_CASE("llama-bpe: a sign before a word, three digits, line ends with the signs before") {
    CHECK(pieces("llama-bpe", "x=y(12345);\n\n  z") == "x|=y|(|123|45|);\n\n| | z");
    CHECK(pieces("llama-bpe", "we'Ll don'T") == "we|'Ll| don|'T");
    CHECK(pieces("llama-bpe", "a  \n b") == "a|  \n| b");
  }

  TEST_CASE("qwen2: each digit by itself") {
    CHECK(pieces("qwen2", "v2.10 = 3;") == "v|2|.|1|0| =| |3|;");
  }

  TEST_CASE("gpt-4o and tekken: words end where small letters do") {
    CHECK(pieces("gpt-4o", "HTTPServer's fooBar 1234 //x") ==
          "HTTPServer's| foo|Bar| |123|4| //|x");
    CHECK(pieces("tekken", "HTTPServer's fooBar 12") == "HTTPServer|'s| foo|Bar| |1|2");
  }

  TEST_CASE("rules of several patterns cut what is left between matches, and matches again") {
    CHECK(pieces("starcoder", "x12 = y3") == "x|1|2| =| y|3");
    CHECK(pieces("deepseek-coder", "if x:\n  y\u4e2d\u6587z 12") ==
          "if| x|:|\n| | y|\u4e2d\u6587|z| |1|2");
    CHECK(pieces("deepseek-llm", "ab  12\n \u4e2d\u6587! ") == "ab|  |12|\n| |\u4e2d\u6587|!| ");
    CHECK(pieces("deepseek-v3", "x.foo(1234)") == "x|.foo|(|123|4|)");
    CHECK(pieces("default", "a+b 12345") == "a|+|b| |123|45");
  }

  TEST_CASE("white space is Unicode's: U+0085 and U+3000 are, U+180E and U+200B are not") {
    CHECK(pieces("gpt-2", "\u0085 \u3000") == "\u0085 \u3000");
    CHECK(pieces("gpt-2", "a\u180e") == "a|\u180e");
    CHECK(pieces("gpt-2", " \u200b") == " \u200b");
    CHECK(pieces("gpt-2", " \u3000x") == " |\u3000|x");
  }

  TEST_CASE("broken bytes are pieces of their own") {
    CHECK(pieces("qwen2",
                 "ab\xff\xfe"
                 "cd") == "ab|\xff\xfe|cd");
    CHECK(pieces("qwen2", "\xe4\xb8") == "\xe4\xb8");
    CHECK(pieces("qwen2", "\xed\xa0\x80") == "\xed\xa0\x80");  // half a UTF-16 pair
    CHECK(pieces("qwen2", "\xc0\x80 \xf4\x90\x80\x80") == "\xc0\x80| |\xf4\x90\x80\x80");
  }

  TEST_CASE("the pieces of any bytes by any rule are these bytes") {
    std::mt19937 random(21);
    static constexpr std::string_view kParts[] = {
        " ",    "  ",       "\n",     "\r\n", "a",      "Bc",     "1",      "23",
        "'s",   "'LL",      "(",      ");",   "\u00e4", "\u4e2d", "\u0301", "\U0001f999",
        "\xff", "\xe4\xb8", "\u3000", "/",    "\t",     "\0"};
    for (const PreTokenizerRow& row : pre_tokenizers()) {
      const PieceSplitter splitter(row);
      PieceSplitter::Scratch scratch(splitter);
      for (int round = 0; round < 300; ++round) {
        std::string text;
        for (std::size_t n = random() % 30; n > 0; --n)
          text += kParts[random() % std::size(kParts)];
        std::string joined;
        splitter.split(text, scratch, [&](std::string_view piece) {
          CHECK(!piece.empty());
          joined += piece;
        });
        CHECK(joined == text);
      }
    }
  }
}

}  // namespace kinglet::inference
