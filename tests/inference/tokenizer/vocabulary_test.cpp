#include "inference/tokenizer/vocabulary.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::inference {
namespace {

using test::code_vocabulary;
using test::TestVocabulary;

std::string refusal(const std::function<void(TestVocabulary&)>& spoil) {
  TestVocabulary vocabulary;
  vocabulary.add("a", -1);
  vocabulary.add("b", -2);
  spoil(vocabulary);
  const auto made = Vocabulary::create(vocabulary.parts());
  return made ? "" : made.error().message;
}

Vocabulary good() {
  TestVocabulary vocabulary = code_vocabulary();
  vocabulary.options.add_bos = true;
  vocabulary.options.add_space_prefix = true;
  vocabulary.options.special.fim_mid = vocabulary.add("<|fim_mid|>", 0, TokenKind::kControl);
  vocabulary.options.end_of_generation = {vocabulary.add("<|end|>", 0), 2, 2};
  vocabulary.add("", 0);
  return Vocabulary::create(vocabulary.parts()).value();
}

}  // namespace

TEST_SUITE("inference/tokenizer/vocabulary") {
  TEST_CASE("tokens are found by id and by text") {
    const Vocabulary vocabulary = good();
    CHECK(vocabulary.text(1) == "<s>");
    CHECK(vocabulary.find("\u2581return").has_value());
    CHECK(vocabulary.text(*vocabulary.find("\u2581return")) == "\u2581return");
    CHECK_FALSE(vocabulary.find("returns"));
    CHECK_FALSE(vocabulary.find(""));
    for (TokenId id = 0; vocabulary.contains(id); ++id) {
      if (!vocabulary.text(id).empty()) CHECK(vocabulary.find(vocabulary.text(id)) == id);
    }
    CHECK_FALSE(vocabulary.contains(-1));
    CHECK_FALSE(vocabulary.contains(static_cast<TokenId>(vocabulary.size())));
  }

  TEST_CASE("special tokens are control tokens, whatever the file says") {
    const Vocabulary vocabulary = good();
    const TokenId end = vocabulary.find("<|end|>").value();
    CHECK(vocabulary.kind(end) == TokenKind::kControl);  // was added as text
    CHECK(vocabulary.kind(0) == TokenKind::kUnknown);
    CHECK(std::vector<TokenId>(vocabulary.end_of_generation().begin(),
                               vocabulary.end_of_generation().end()) ==
          std::vector<TokenId>{2, end});
    CHECK(vocabulary.is_end_of_generation(end));
    CHECK_FALSE(vocabulary.is_end_of_generation(1));
  }

  TEST_CASE("what contradicts itself is refused") {
    CHECK(refusal([](auto&) {}).empty());
    CHECK(refusal([](auto& v) { v.scores.pop_back(); }) ==
          "it has 261 tokens, but 260 scores and 261 kinds");
    CHECK(refusal([](auto& v) { v.kinds.pop_back(); }) ==
          "it has 261 tokens, but 261 scores and 260 kinds");
    CHECK(refusal([](auto& v) { v.scores[7] = std::nanf(""); }) ==
          "token 7 has a score that is no number");
    CHECK(refusal([](auto& v) { v.kinds[260] = TokenKind{7}; }) ==
          "token 260 has kind 7; 1 to 6 exist");
    CHECK(refusal([](auto& v) { v.texts[260] = "a"; }) == "tokens 259 and 260 have the same text");
    CHECK(refusal([](auto& v) { v.texts[260].assign(1025, 'x'); }) ==
          "token 260 has 1025 bytes; at most 1024 are possible");
    CHECK(refusal([](auto& v) { v.options.special.eos = 261; }) ==
          "its eos token is 261, but it has only 261 tokens");
    CHECK(refusal([](auto& v) { v.options.special.fim_pre = -2; }) ==
          "its fim_pre token is -2, but it has only 261 tokens");
    CHECK(refusal([](auto& v) { v.options.special.fim_sep = 3; }) ==
          "its fim_sep token is 3, which stands for a byte");
    CHECK(refusal([](auto& v) { v.options.end_of_generation = {1000}; }) ==
          "its end of generation token is 1000, but it has only 261 tokens");
    CHECK(refusal([](auto& v) { v.texts.clear(), v.scores.clear(), v.kinds.clear(); }) ==
          "it has 0 tokens; 1 to 4194304 are possible");
    CHECK(refusal([](auto& v) { v.options.tokenizer = TokenizerKind{99}; }) ==
          "its tokenizer is of no kind we have");
  }

  TEST_CASE("byte tokens must be there, each once and strictly spelled") {
    CHECK(refusal([](auto& v) {
            v.kinds[10] = TokenKind::kNormal;
          }).find("it has 255 of the 256 byte tokens") == 0);
    for (const char* text : {"<0x-1>", "<0xZZ>", "<0x0a>", "<0x000A>", "0x0A", "<0x0A", "<0X0B>"}) {
      CAPTURE(text);
      CHECK(refusal([&](auto& v) { v.texts[10] = text; }) ==
            "token 10 is marked as a byte, but its text is not <0x00> to <0xFF>");
    }
  }

  TEST_CASE("a vocabulary survives the way to another process") {
    const Vocabulary vocabulary = good();
    const auto bytes = vocabulary.serialize();
    const auto back = Vocabulary::deserialize(bytes);
    REQUIRE(back);
    CHECK(back->serialize() == bytes);
    CHECK(back->hash() == vocabulary.hash());
    CHECK(back->size() == vocabulary.size());
    CHECK(back->special().fim_mid == vocabulary.special().fim_mid);
    CHECK(back->add_bos());
    CHECK_FALSE(back->add_eos());
    CHECK(back->add_space_prefix());
    CHECK(back->end_of_generation().size() == 2);
    for (TokenId id = 0; vocabulary.contains(id); ++id) {
      CHECK(back->text(id) == vocabulary.text(id));
      CHECK(back->score(id) == vocabulary.score(id));
      CHECK(back->kind(id) == vocabulary.kind(id));
    }
  }

  TEST_CASE("the hash tells vocabularies apart") {
    TestVocabulary vocabulary = code_vocabulary();
    const auto hash = [&] { return Vocabulary::create(vocabulary.parts()).value().hash(); };
    const std::uint64_t original = hash();
    CHECK(hash() == original);
    vocabulary.options.add_space_prefix = true;
    CHECK(hash() != original);
    vocabulary.options.add_space_prefix = false;
    vocabulary.scores.back() -= 1;
    CHECK(hash() != original);
  }

  TEST_CASE("damaged bytes are refused or are a vocabulary, and never anything else") {
    const auto bytes = good().serialize();
    for (std::size_t n = 0; n < bytes.size(); n += 7) {
      CHECK_FALSE(Vocabulary::deserialize(std::span(bytes).first(n)));
    }
    auto longer = bytes;
    longer.push_back({});
    CHECK_FALSE(Vocabulary::deserialize(longer));

    std::mt19937 random(3);
    int n_refused = 0;
    for (int round = 0; round < 3000; ++round) {
      auto mutated = bytes;
      // Mostly the numbers at the front, where a byte decides most.
      const std::size_t range = round % 3 == 0 ? bytes.size() : 80;
      mutated[random() % range] = static_cast<std::byte>(random());
      const auto made = Vocabulary::deserialize(mutated);
      if (!made) {
        ++n_refused;
        continue;
      }
      CHECK(made->serialize().size() <= mutated.size() + 4);
      const Tokenizer tokenizer(std::make_shared<const Vocabulary>(*made));
      CHECK(tokenizer.decode(tokenizer.encode("int main() {}")) == "int main() {}");
    }
    CHECK(n_refused > 1000);
  }

  TEST_CASE("another version is told apart from damage") {
    auto bytes = good().serialize();
    bytes[4] = std::byte{200};
    CHECK(Vocabulary::deserialize(bytes).error().code == ErrorCode::kUnsupported);
    bytes[0] = std::byte{0};
    CHECK(Vocabulary::deserialize(bytes).error().code == ErrorCode::kCorrupt);
  }
}

}  // namespace kinglet::inference
