#include "inference/tokenizer/line_segments.h"

#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::inference {

namespace {

// With a bar after each.
std::string segments(std::string_view text) {
  std::string all;
  for_each_line_segment(text, [&](std::string_view segment) {
    REQUIRE(!segment.empty());
    all += std::string(segment) + "|";
  });
  return all;
}

}  // namespace

TEST_SUITE("inference/tokenizer/line_segments") {
  TEST_CASE("a segment ends where a line begins that is not blank") {
    CHECK(segments("") == "");
    CHECK(segments("a") == "a|");
    CHECK(segments("a\n") == "a\n|");
    CHECK(segments("a\nb") == "a\n|b|");
    CHECK(segments("a\n  b\n") == "a\n|  b\n|");
    CHECK(segments("a\r\n\tb\r\n") == "a\r\n|\tb\r\n|");
    CHECK(segments("  a\nb\n") == "  a\n|b\n|");
  }

  TEST_CASE("blank lines belong to the line before, leading ones to the first") {
    CHECK(segments("a\n\n  \n b\n") == "a\n\n  \n| b\n|");
    CHECK(segments("a\n\n\n") == "a\n\n\n|");
    CHECK(segments("\n\na\nb") == "\n\n|a\n|b|");
    CHECK(segments("\n \t\r\n") == "\n \t\r\n|");
    // No other white space is blank here: no token joins it to a line feed.
    CHECK(segments("a\n\f\nb\n") == "a\n|\f\n|b\n|");
  }

  TEST_CASE("segments together are the text, whatever it is") {
    std::mt19937 random(4);
    constexpr std::string_view kBytes = "a{\n\n\n \t\r\f\v\xC2\xA0";
    for (int round = 0; round < 2000; ++round) {
      std::string text(random() % 40, ' ');
      for (char& c : text)
        c = kBytes[random() % kBytes.size()];
      std::string whole;
      for_each_line_segment(text, [&](std::string_view segment) { whole += segment; });
      REQUIRE(whole == text);
    }
  }

  TEST_CASE("a vocabulary splits at lines unless a token joins a line feed to an indentation") {
    // GPT-2's rule leaves both in one piece, later ones end a piece at the line feed.
    for (const auto& [rule, splits] : {std::pair(PreTokenizer::kGpt2, false),
                                       std::pair(PreTokenizer::kLlamaBpe, true),
                                       std::pair(PreTokenizer::kQwen2, true)}) {
      test::ByteLevelVocabulary vocabulary(rule);
      CHECK(splits_at_lines(vocabulary.tokenizer()));
      vocabulary.merge("\n", "\n");
      CHECK(splits_at_lines(vocabulary.tokenizer()));
      vocabulary.merge("\n", " ");
      CHECK(splits_at_lines(vocabulary.tokenizer()) == splits);
    }
    test::TestVocabulary vocabulary;
    CHECK(splits_at_lines(vocabulary.tokenizer()));
    vocabulary.add("\n", -1);
    vocabulary.add("\u2581", -2);
    vocabulary.add("\n\u2581", -3);
    CHECK(!splits_at_lines(vocabulary.tokenizer()));
  }

  TEST_CASE("a million blank lines take linear time") {
    std::size_t n_segments = 0;
    const auto count = [&](std::string_view) { ++n_segments; };
    for_each_line_segment(std::string(3'000'000, '\n'), count);
    for_each_line_segment(std::string(3'000'000, ' '), count);
    CHECK(n_segments == 2);
  }
}

}  // namespace kinglet::inference
