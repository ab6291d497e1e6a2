#include "inference/steering.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::test {

using inference::Steering;
using inference::TokenId;
using inference::Tokenizer;
using inference::TokenMask;
using inference::TokenTrie;

TEST_SUITE("inference/steering") {
  TEST_CASE("the output begins with a text, in any tokens that spell it") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    auto steering = Steering::create(trie, " ret", nullptr, 9);
    REQUIRE(steering.has_value());
    const auto allowed = [&] {
      std::string texts;
      const TokenMask* mask = steering->allowed(9);
      REQUIRE(mask != nullptr);
      for (TokenId id = 0; tokenizer.vocabulary().contains(id); ++id) {
        // Byte tokens are allowed beside the letters; they would double the list.
        const bool is_byte = tokenizer.vocabulary().kind(id) == inference::TokenKind::kByte;
        if (mask->allows(id) && !is_byte) texts += "[" + std::string(trie.text(id)) + "]";
      }
      return texts;
    };
    CHECK(allowed() == "[ re][ ret][ retu][ retur][ return][ ]");
    steering->accept(*tokenizer.vocabulary().find("\u2581"));
    CHECK(allowed() == "[re][ret][retu][retur][return][r]");
    steering->accept(*tokenizer.vocabulary().find("re"));
    CHECK(allowed() == "[th][the][t]");
    steering->accept(*tokenizer.vocabulary().find("the"));
    CHECK(steering->allowed(9) == nullptr);
  }

  TEST_CASE("nothing asked for is nothing forbidden") {
    Steering steering;
    CHECK(steering.allowed(9) == nullptr);
    steering.accept(5);
    CHECK(steering.allowed(9) == nullptr);
  }

  TEST_CASE("what cannot be asked for is refused") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    CHECK(Steering::create(trie, std::string(1024, '\xff'), nullptr, 9).has_value());
    CHECK(!Steering::create(trie, std::string(1025, 'a'), nullptr, 9).has_value());
  }
}

}  // namespace kinglet::test
