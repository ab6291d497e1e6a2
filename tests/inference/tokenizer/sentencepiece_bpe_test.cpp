#include "inference/tokenizer/sentencepiece_bpe.h"

#include <doctest/doctest.h>

#include <ctime>
#include <optional>
#include <random>

#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::inference {
namespace {

using test::code_vocabulary;
using test::TestVocabulary;

/// The texts of the tokens, one after the other: what a person checks.
std::string shown(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  std::string out;
  for (const TokenId id : tokenizer.encode(text, options)) {
    if (!out.empty()) out += '|';
    out += tokenizer.vocabulary().text(id);
  }
  return out;
}

/// The definition, written to be read: look at all neighbors, join the best, again. Valid UTF-8
/// without U+2581 only.
std::vector<TokenId> slow_encode(const Vocabulary& vocabulary, std::string_view text) {
  std::vector<std::string> symbols;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = 1;
    while (i + n < text.size() && (text[i + n] & 0xc0) == 0x80)
      ++n;
    symbols.emplace_back(text[i] == ' ' ? "\u2581" : text.substr(i, n));
    i += n;
  }
  const auto token_of = [&](const std::string& symbol) -> std::optional<TokenId> {
    const auto id = vocabulary.find(symbol);
    return id && vocabulary.kind(*id) == TokenKind::kNormal ? id : std::nullopt;
  };
  for (;;) {
    std::optional<std::size_t> best;
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto id = token_of(symbols[i] + symbols[i + 1]);
      if (id && (!best || vocabulary.score(*id) > best_score)) {
        best = i;
        best_score = vocabulary.score(*id);
      }
    }
    if (!best) break;
    symbols[*best] += symbols[*best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(*best) + 1);
  }
  std::vector<TokenId> tokens;
  for (const std::string& symbol : symbols) {
    if (const auto id = token_of(symbol)) {
      tokens.push_back(*id);
      continue;
    }
    for (const char c : symbol == "\u2581" ? " " : symbol) {
      tokens.push_back(TestVocabulary::kFirstByte + static_cast<unsigned char>(c));
    }
  }
  return tokens;
}

/// Processor time, so that a busy machine does not matter.
double seconds(const Tokenizer& tokenizer, const std::string& text) {
  const std::clock_t start = std::clock();
  const auto tokens = tokenizer.encode(text);
  const std::clock_t end = std::clock();
  CHECK(tokenizer.decode(tokens) == text);
  return static_cast<double>(end - start) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_SUITE("inference/tokenizer/sentencepiece_bpe") {
  TEST_CASE("the pair with the highest score is joined first, the leftmost among equals") {
    TestVocabulary vocabulary;
    for (const char* c : {"a", "b", "c"})
      vocabulary.add(c, -100);
    vocabulary.add("ab", -2);
    vocabulary.add("bc", -1);
    vocabulary.add("aa", -3);
    CHECK(shown(vocabulary.tokenizer(), "abc") == "a|bc");
    CHECK(shown(vocabulary.tokenizer(), "abab") == "ab|ab");
    CHECK(shown(vocabulary.tokenizer(), "aaa") == "aa|a");
    CHECK(shown(vocabulary.tokenizer(), "aaaa") == "aa|aa");
  }

  TEST_CASE("what is no token is spelled in bytes") {
    TestVocabulary vocabulary;
    vocabulary.add("a", -1);
    CHECK(shown(vocabulary.tokenizer(), "a b\n") == "a|<0x20>|<0x62>|<0x0A>");
    CHECK(shown(vocabulary.tokenizer(), "\u00e4") == "<0xC3>|<0xA4>");
    CHECK(shown(vocabulary.tokenizer(), std::string("\0a", 2)) == "<0x00>|a");
  }

  TEST_CASE("a space is put before the text only where the vocabulary wants it") {
    TestVocabulary vocabulary = code_vocabulary();
    CHECK(shown(vocabulary.tokenizer(), "int x") == "int|\u2581|x");
    vocabulary.options.add_space_prefix = true;
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(shown(tokenizer, "int x") == "\u2581int|\u2581|x");
    CHECK(shown(tokenizer, "int x", {.space_prefix = SpacePrefix::kNever}) == "int|\u2581|x");
    CHECK(shown(tokenizer, " int") == "\u2581|\u2581int");
    CHECK(shown(tokenizer, "").empty());
  }

  TEST_CASE("the space's stand-in in a text is not mistaken for a space") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    CHECK(shown(tokenizer, "\u2581int") == "<0xE2>|<0x96>|<0x81>|int");
    CHECK(tokenizer.decode(tokenizer.encode(" \u2581 a\u2581")) == " \u2581 a\u2581");
  }

  TEST_CASE("text never becomes a control, unknown, unused or byte token") {
    TestVocabulary vocabulary = code_vocabulary();
    vocabulary.add("<|end|>", 100, TokenKind::kControl);
    vocabulary.add("<|", 50);
    vocabulary.add("<|end", 60);
    vocabulary.add("|>", 55);
    vocabulary.add("<|end|", 70, TokenKind::kUnused);
    // A way of merges to each of them.
    for (const char* text :
         {"<0", "<0x", "<0x4", "<0x41", "<s", "</", "</s", "<u", "<un", "<unk"}) {
      vocabulary.add(text, 10);
    }
    const Tokenizer tokenizer = vocabulary.tokenizer();
    for (const std::string text : {"<|end|>", "<s>", "</s>", "<unk>", "<0x41>", "<s><s> </s>"}) {
      CAPTURE(text);
      const auto tokens = tokenizer.encode(text);
      CHECK(tokenizer.decode(tokens) == text);
      for (const TokenId id : tokens) {
        CHECK(tokenizer.vocabulary().kind(id) == TokenKind::kNormal);
      }
    }
  }

  TEST_CASE("user-defined tokens are matched first, the longest of them") {
    TestVocabulary vocabulary = code_vocabulary();
    vocabulary.add("tval", -1, TokenKind::kUserDefined);
    vocabulary.add("tvalue", -1, TokenKind::kUserDefined);
    vocabulary.add("<table>", -1, TokenKind::kUserDefined);
    vocabulary.add("\xe4\xb8", -1, TokenKind::kUserDefined);  // the first bytes of a character
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(shown(tokenizer, "intvalue") == "in|tvalue");
    CHECK(shown(tokenizer, "intvalu") == "in|tval|u");
    CHECK(shown(tokenizer, "<table><table>in") == "<table>|<table>|in");
    CHECK(shown(tokenizer, "tvaltvalue") == "tval|tvalue");
    CHECK(shown(tokenizer, "\u4e2d") == "\u4e2d");
    const std::string broken = "\xe4\xb8\xe4\xb8 x \u4e2d";
    CHECK(tokenizer.decode(tokenizer.encode(broken)) == broken);
  }

  TEST_CASE("user-defined tokens of spaces are matched, however a file writes the spaces") {
    // Gemma's: converters once wrote U+2581 in them, and write spaces now.
    TestVocabulary vocabulary = code_vocabulary();
    const TokenId old = vocabulary.add("\u2581\u2581\u2581", -1, TokenKind::kUserDefined);
    const TokenId fresh = vocabulary.add("     ", -1, TokenKind::kUserDefined);
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(tokenizer.encode("   ") == std::vector<TokenId>{old});
    CHECK(tokenizer.encode("     ") == std::vector<TokenId>{fresh});
    CHECK(shown(tokenizer, "in        t") == "in|     |\u2581\u2581\u2581|t");
    CHECK(tokenizer.decode(tokenizer.encode("in        t")) == "in        t");
  }

  TEST_CASE("the space before a text comes once, and again after control tokens") {
    TestVocabulary vocabulary = code_vocabulary();
    vocabulary.options.add_space_prefix = true;
    vocabulary.add("<t>", -1, TokenKind::kUserDefined);
    const Tokenizer tokenizer = vocabulary.tokenizer();
    constexpr EncodeOptions kControl = {.control_names = ControlNames::kTokens};
    CHECK(shown(tokenizer, "int<t>int") == "\u2581int|<t>|int");
    CHECK(shown(tokenizer, "<t>int") == "\u2581|<t>|int");
    CHECK(tokenizer.decode(tokenizer.encode("<t>int")) == "<t>int");
    CHECK(shown(tokenizer, "<s>int</s>int", kControl) == "<s>|\u2581int|</s>|\u2581int");
    CHECK(tokenizer.decode(tokenizer.encode("<s>int</s> int", kControl), ControlNames::kTokens) ==
          "<s>int</s> int");
  }

  TEST_CASE("the heap finds what looking at all pairs finds") {
    TestVocabulary plain = code_vocabulary();
    // Spaces inside a token forbid cutting the text into words.
    TestVocabulary spaced = code_vocabulary();
    spaced.add("n\u2581", -0.5F);
    spaced.add("n\u2581t", -0.25F);
    TestVocabulary tied = code_vocabulary();
    for (float& score : tied.scores)
      score = -1;
    const std::vector<std::string> parts = {" ",
                                            "  ",
                                            "in",
                                            "t",
                                            "value",
                                            "return",
                                            "aaaaaa",
                                            "()",
                                            "\u00e4",
                                            "\u4e2d",
                                            "n ",
                                            "\n",
                                            "r",
                                            " th",
                                            "e",
                                            "\U0001f999"};
    std::mt19937 random(11);
    for (const TestVocabulary* vocabulary : {&plain, &spaced, &tied}) {
      const Tokenizer tokenizer = vocabulary->tokenizer();
      for (int round = 0; round < 500; ++round) {
        std::string text;
        for (std::size_t n = random() % 24; n > 0; --n)
          text += parts[random() % parts.size()];
        CAPTURE(text);
        CHECK(tokenizer.encode(text) == slow_encode(tokenizer.vocabulary(), text));
      }
    }
  }

  TEST_CASE("every byte string comes back") {
    TestVocabulary vocabulary = code_vocabulary();
    vocabulary.options.add_space_prefix = true;
    const Tokenizer tokenizer = vocabulary.tokenizer();
    std::mt19937 random(12);
    for (int round = 0; round < 5000; ++round) {
      std::string text;
      // All bytes, or only those that make broken and whole characters and stand-ins for space.
      static constexpr char kTricky[] = "\xe2\x96\x81\xc3\xa4 \xf0\x9f\n<>0x";
      for (std::size_t n = random() % 40; n > 0; --n) {
        text +=
            round % 2 == 0 ? static_cast<char>(random()) : kTricky[random() % (sizeof kTricky - 1)];
      }
      CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
    }
  }

  TEST_CASE("a mebibyte of anything takes less than a second") {
    TestVocabulary vocabulary = code_vocabulary();
    std::string run = "\u2581\u2581\u2581\u2581";
    for (int i = 0; i < 4; ++i) {
      run += run;
      vocabulary.add(run, -1000.0F - static_cast<float>(i));
    }
    const Tokenizer tokenizer = vocabulary.tokenizer();
    constexpr std::size_t kSize = 1 << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr double kLimit = 20;  // sanitizers cost several times the time
#else
    constexpr double kLimit = 1;
#endif
    CHECK(seconds(tokenizer, std::string(kSize, ' ')) < kLimit);
    CHECK(seconds(tokenizer, std::string(kSize, 'a')) < kLimit);
    CHECK(seconds(tokenizer, std::string(kSize, '\0')) < kLimit);
    CHECK(seconds(tokenizer, std::string(kSize, '\xff')) < kLimit);
    std::string code;
    while (code.size() < kSize)
      code += "return std vector the value in int ();\n  ";
    CHECK(seconds(tokenizer, code) < kLimit);
  }

  TEST_CASE("a text longer than is merged at once comes back") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const std::string text = std::string(2'500'000, 'a') + " int";
    const auto tokens = tokenizer.encode(text);
    CHECK(tokens.size() < 2'500'000 / 4 + 100);
    CHECK(tokenizer.decode(tokens) == text);
  }
}

}  // namespace kinglet::inference
