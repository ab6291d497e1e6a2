#include "inference/tokenizer/byte_level_bpe.h"

#include <doctest/doctest.h>

#include <ctime>
#include <optional>
#include <random>
#include <thread>

#include "inference/tokenizer/piece_splitter.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::inference {
namespace {

using test::ByteLevelVocabulary;

/// The texts of the tokens, one after the other: what a person checks.
std::string shown(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  std::string out;
  for (const TokenId id : tokenizer.encode(text, options)) {
    if (!out.empty()) out += '|';
    out += tokenizer.vocabulary().text(id);
  }
  return out;
}

/// The definition, written to be read: look at all neighbors, join the first in the list, again.
std::vector<TokenId> slow_encode(const Vocabulary& vocabulary, std::string_view text) {
  const PieceSplitter splitter(*find_pre_tokenizer(vocabulary.pre_tokenizer()));
  PieceSplitter::Scratch scratch(splitter);
  std::vector<TokenId> tokens;
  splitter.split(text, scratch, [&](std::string_view piece) {
    std::vector<TokenId> symbols;
    for (const char c : piece)
      symbols.push_back(static_cast<unsigned char>(c));  // byte tokens come first
    for (;;) {
      std::optional<std::size_t> best_rank;
      std::size_t best = 0;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        for (std::size_t rank = 0; rank < vocabulary.merges().size(); ++rank) {
          const Merge merge = vocabulary.merges()[rank];
          if (merge.left != symbols[i] || merge.right != symbols[i + 1]) continue;
          if (!best_rank || rank < *best_rank) {
            best_rank = rank;
            best = i;
          }
        }
      }
      if (!best_rank) break;
      const Merge merge = vocabulary.merges()[*best_rank];
      symbols[best] = *vocabulary.find(std::string(vocabulary.text(merge.left)) +
                                       std::string(vocabulary.text(merge.right)));
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    tokens.insert(tokens.end(), symbols.begin(), symbols.end());
  });
  return tokens;
}

ByteLevelVocabulary words() {
  ByteLevelVocabulary vocabulary;
  for (const char* word :
       {" return", " the", "return", " value", "int", "std", "aaaa", "in", "();"})
    vocabulary.add_word(word);
  vocabulary.merge("re", "t");
  vocabulary.merge("aa", "aa");
  vocabulary.merge("t", "u");
  vocabulary.merge("l", "u");
  vocabulary.merge("lu", "e");
  vocabulary.merge("\xc3", "\xa4");
  return vocabulary;
}

std::string refusal(const ByteLevelVocabulary& vocabulary) {
  const auto made = Vocabulary::create(vocabulary.parts());
  return made ? "" : made.error().message;
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

TEST_SUITE("inference/tokenizer/byte_level_bpe") {
  TEST_CASE("merges are made in the list's order, the leftmost first") {
    ByteLevelVocabulary vocabulary;
    vocabulary.merge("b", "c");
    vocabulary.merge("a", "b");
    vocabulary.merge("a", "bc");
    vocabulary.merge("a", "a");
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(shown(tokenizer, "ab") == "ab");
    CHECK(shown(tokenizer, "abc") == "abc");
    CHECK(shown(tokenizer, "abab") == "ab|ab");
    CHECK(shown(tokenizer, "aaa") == "aa|a");
    CHECK(shown(tokenizer, "aabc") == "a|abc");
  }

  TEST_CASE("no merge crosses a piece") {
    ByteLevelVocabulary vocabulary;
    vocabulary.merge("a", "1");
    vocabulary.merge(" ", "a");
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(shown(tokenizer, "a1 a") == "a|1|\u0120a");
  }

  TEST_CASE("a token that is a whole piece wins only where the rule says so") {
    for (const auto rule : {PreTokenizer::kGpt2, PreTokenizer::kLlamaBpe}) {
      ByteLevelVocabulary vocabulary(rule);
      vocabulary.merge("b", "c");
      vocabulary.merge("a", "b");
      vocabulary.add("abc");  // merging makes a|bc of it
      const Tokenizer tokenizer = vocabulary.tokenizer();
      const std::string expected = rule == PreTokenizer::kLlamaBpe ? "abc" : "a|bc";
      for (int again = 0; again < 3; ++again)
        CHECK(shown(tokenizer, "abc") == expected);
      CHECK(shown(tokenizer, "abcd") == "a|bc|d");
      CHECK(shown(tokenizer, "ab") == "ab");
    }
  }

  TEST_CASE("the heap and the look-ups find what looking at all pairs finds") {
    const Tokenizer tokenizer = words().tokenizer();
    static constexpr std::string_view kParts[] = {" ",
                                                  "return",
                                                  " value",
                                                  "the",
                                                  "in",
                                                  "t",
                                                  "aaaaaa",
                                                  "();",
                                                  "\u00e4",
                                                  "\u4e2d",
                                                  "\n",
                                                  "r",
                                                  "1",
                                                  "lue",
                                                  "std::",
                                                  "\U0001f999"};
    std::mt19937 random(17);
    for (int round = 0; round < 1000; ++round) {
      std::string text;
      for (std::size_t n = random() % 20; n > 0; --n)
        text += kParts[random() % std::size(kParts)];
      CAPTURE(text);
      CHECK(tokenizer.encode(text) == slow_encode(tokenizer.vocabulary(), text));
    }
  }

  TEST_CASE("every byte string comes back, by every rule") {
    std::mt19937 random(18);
    for (const PreTokenizerRow& row : pre_tokenizers()) {
      ByteLevelVocabulary vocabulary = words();
      vocabulary.options.pre_tokenizer = row.rule;
      vocabulary.add("<table>", TokenKind::kUserDefined);
      const Tokenizer tokenizer = vocabulary.tokenizer();
      for (int round = 0; round < 500; ++round) {
        std::string text;
        static constexpr char kTricky[] = "\xe2\x96\x81\xc3\xa4 \xf0\x9f\n<table>'s1";
        for (std::size_t n = random() % 40; n > 0; --n) {
          text += round % 2 == 0 ? static_cast<char>(random())
                                 : kTricky[random() % (sizeof kTricky - 1)];
        }
        CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
      }
    }
  }

  TEST_CASE("text never becomes a control token, not by merging and not as a whole piece") {
    for (const auto rule : {PreTokenizer::kGpt2, PreTokenizer::kLlamaBpe}) {
      ByteLevelVocabulary vocabulary(rule);
      const TokenId by_merging = vocabulary.add_word("stop");
      vocabulary.add_word("stops");
      const TokenId by_name = vocabulary.add("<|end|>", TokenKind::kControl);
      const TokenId whole = vocabulary.add("halt");
      vocabulary.options.end_of_generation = {by_merging, whole};
      const Tokenizer tokenizer = vocabulary.tokenizer();
      for (const std::string text : {"stop", "stops", "<|end|>", "halt", "stop halt"}) {
        CAPTURE(text);
        const auto tokens = tokenizer.encode(text);
        CHECK(tokenizer.decode(tokens) == text);
        for (const TokenId id : tokens)
          CHECK(tokenizer.vocabulary().kind(id) == TokenKind::kNormal);
      }
      CHECK(tokenizer.encode("<|end|>", {.control_names = ControlNames::kTokens}) ==
            std::vector<TokenId>{by_name});
    }
  }

  TEST_CASE("user-defined tokens are their text, not bytes of it") {
    ByteLevelVocabulary vocabulary = words();
    const TokenId token = vocabulary.add("\u00f5", TokenKind::kUserDefined);
    vocabulary.texts[0xf5] = "[no byte f5]";  // as in DeepSeek-Coder's: the letter in its place
    vocabulary.add("[PAD]", TokenKind::kUnused);
    const Tokenizer tokenizer = vocabulary.tokenizer();
    CHECK(tokenizer.encode("\u00f5") == std::vector<TokenId>{token});
    CHECK(tokenizer.decode(tokenizer.encode("\u00f5 \xf5")) == "\u00f5 \xf5");
  }

  TEST_CASE("a byte without a token is an unused token, or else U+FFFD") {
    ByteLevelVocabulary vocabulary;
    vocabulary.texts[0xff] = "[no byte ff]";
    vocabulary.texts[0xfe] = "[no byte fe]";
    const Tokenizer without = vocabulary.tokenizer();
    CHECK(without.decode(without.encode("a\xff\xfe")) == "a\ufffd\ufffd");
    const TokenId spare = vocabulary.add("[PAD258]", TokenKind::kUnused);
    const Tokenizer with_one = vocabulary.tokenizer();
    CHECK(with_one.encode("\xfe") == std::vector<TokenId>{spare});
    CHECK(with_one.decode(with_one.encode("a\xff\xfe")) == "a\ufffd\xfe");
    CHECK(with_one.decode(with_one.encode("[PAD258]")) == "[PAD258]");
  }

  TEST_CASE("what cannot write every text is refused") {
    ByteLevelVocabulary vocabulary;
    CHECK(refusal(vocabulary).empty());
    vocabulary.texts['a'] = "aa?";
    CHECK(refusal(vocabulary) ==
          "it has no token for the byte 97, so that not every text can be written; get a complete "
          "model file");
    vocabulary.texts['a'] = "a";
    vocabulary.options.pre_tokenizer = PreTokenizer::kNone;
    CHECK(refusal(vocabulary) == "it has no rule by which text is cut into pieces");
  }

  TEST_CASE("merges are checked") {
    ByteLevelVocabulary vocabulary;
    vocabulary.options.merges.push_back({'a', 'b'});
    CHECK(refusal(vocabulary) == "merge 0 joins tokens 97 and 98 to a text that is no token");
    vocabulary.options.merges[0] = {'a', 300};
    CHECK(refusal(vocabulary) == "merge 0 joins tokens 97 and 300, but it has only 256 tokens");
    vocabulary.options.merges[0] = {-1, 'a'};
    CHECK(refusal(vocabulary) == "merge 0 joins tokens -1 and 97, but it has only 256 tokens");
  }

  TEST_CASE("a vocabulary with merges survives the way to another process") {
    ByteLevelVocabulary parts = words();
    const TokenId end = parts.add("<|end|>", TokenKind::kControl);
    parts.options.strip_after = {end};
    const Vocabulary vocabulary = Vocabulary::create(parts.parts()).value();
    const auto bytes = vocabulary.serialize();
    const auto back = Vocabulary::deserialize(bytes);
    REQUIRE(back);
    CHECK(back->serialize() == bytes);
    CHECK(back->hash() == vocabulary.hash());
    CHECK(back->pre_tokenizer() == PreTokenizer::kGpt2);
    CHECK(back->merges().size() == vocabulary.merges().size());
    CHECK(back->strips_after(end));
    CHECK_FALSE(back->strips_after(end - 1));
    for (std::size_t n = 0; n < bytes.size(); n += 11)
      CHECK_FALSE(Vocabulary::deserialize(std::span(bytes).first(n)));
    std::mt19937 random(4);
    for (int round = 0; round < 1000; ++round) {
      auto mutated = bytes;
      mutated[random() % mutated.size()] = static_cast<std::byte>(random());
      const auto made = Vocabulary::deserialize(mutated);
      if (!made) continue;
      const Tokenizer tokenizer(std::make_shared<const Vocabulary>(*made));
      CHECK(tokenizer.decode(tokenizer.encode("return value;")) == "return value;");
    }
  }

  TEST_CASE("a piece longer than is merged at once is cut between characters") {
    ByteLevelVocabulary vocabulary;
    vocabulary.merge("\xe4", "\xb8");
    const TokenId token = vocabulary.merge("\xe4\xb8", "\xad");
    std::string text;
    for (int i = 0; i < 800'000; ++i)
      text += "\u4e2d";
    CHECK(vocabulary.tokenizer().encode(text) == std::vector<TokenId>(800'000, token));
  }

  TEST_CASE("one tokenizer may be used by several threads") {
    const Tokenizer tokenizer = words().tokenizer();
    const std::string text = " return value the in std aaaa(); return int lue";
    const auto expected = slow_encode(tokenizer.vocabulary(), text);
    std::vector<std::thread> threads;
    std::vector<int> n_wrong(4);
    for (int& wrong : n_wrong) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i)
          wrong += tokenizer.encode(text) == expected ? 0 : 1;
      });
    }
    for (std::thread& thread : threads)
      thread.join();
    CHECK(n_wrong == std::vector<int>(4, 0));
  }

  TEST_CASE("a mebibyte of anything takes less than a second, by every rule") {
    // Where time grows with the square, a 16th of the size is enough to see it.
    const auto size_for = [](std::string_view name) -> std::size_t {
      const bool is_whole = name == "llama-bpe" || name == "gpt-4o" || name == "deepseek-llm";
      return is_whole ? 1 << 20 : 1 << 16;
    };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr double kLimit = 20;  // sanitizers cost several times the time
#else
    constexpr double kLimit = 1;
#endif
    for (const PreTokenizerRow& row : pre_tokenizers()) {
      CAPTURE(row.gguf_names[0]);
      const std::size_t size = size_for(row.gguf_names[0]);
      ByteLevelVocabulary vocabulary = words();
      vocabulary.options.pre_tokenizer = row.rule;
      vocabulary.merge(" ", " ");
      vocabulary.merge("  ", "  ");
      vocabulary.merge("\n", "\n");
      const Tokenizer tokenizer = vocabulary.tokenizer();
      for (const char c : {' ', 'a', 'A', '1', '(', '\n', '\'', '\0', '\xff', '\xe4'}) {
        CAPTURE(static_cast<int>(c));
        CHECK(seconds(tokenizer, std::string(size, c)) < kLimit);
      }
      // White space that something follows is what naive patterns walk again and again.
      CHECK(seconds(tokenizer, std::string(size, ' ') + "1") < kLimit);
      CHECK(seconds(tokenizer, std::string(size, '\t') + "x\n") < kLimit);
      std::string alternating;
      while (alternating.size() < size)
        alternating += "Aa\u0301 1 ";
      CHECK(seconds(tokenizer, alternating) < kLimit);
    }
  }
}

}  // namespace kinglet::inference
