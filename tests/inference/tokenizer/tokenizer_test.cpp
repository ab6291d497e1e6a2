#include "inference/tokenizer/tokenizer.h"

#include <doctest/doctest.h>

#include "inference/tokenizer/kinds.h"
#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::inference {
namespace {

using test::code_vocabulary;
using test::TestVocabulary;

}  // namespace

TEST_SUITE("inference/tokenizer") {
  TEST_CASE("begin and end tokens are put only when asked for, and only where the model has them") {
    TestVocabulary vocabulary = code_vocabulary();
    constexpr EncodeOptions kEnds = {.ends = TextEnds::kByVocabulary};
    CHECK(vocabulary.tokenizer().encode("", kEnds).empty());
    vocabulary.options.add_bos = true;
    CHECK(vocabulary.tokenizer().encode("", kEnds) == std::vector<TokenId>{1});
    vocabulary.options.add_eos = true;
    CHECK(vocabulary.tokenizer().encode("", kEnds) == std::vector<TokenId>{1, 2});
    CHECK(vocabulary.tokenizer().encode("").empty());
    const auto with_text = vocabulary.tokenizer().encode("int", kEnds);
    CHECK(with_text.size() == 3);
    vocabulary.options.special.bos = kNoToken;
    CHECK(vocabulary.tokenizer().encode("", kEnds) == std::vector<TokenId>{2});
  }

  TEST_CASE("control tokens and ids outside the vocabulary are no text") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    std::vector<TokenId> tokens = {1, -1, 1'000'000, 0, 2};
    CHECK(tokenizer.decode(tokens).empty());
    tokens.push_back(tokenizer.vocabulary().find("int").value());
    CHECK(tokenizer.decode(tokens) == "int");
  }

  TEST_CASE("a prefixed space is taken off by decode and kept by append_piece") {
    TestVocabulary vocabulary = code_vocabulary();
    vocabulary.options.add_space_prefix = true;
    const Tokenizer tokenizer = vocabulary.tokenizer();
    const auto tokens = tokenizer.encode("int");
    REQUIRE(tokens.size() == 1);
    CHECK(tokenizer.decode(tokens) == "int");
    std::string piece;
    tokenizer.append_piece(tokens[0], piece);
    CHECK(piece == " int");
  }

  TEST_CASE("a character that is spread over tokens grows byte by byte") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    std::string text;
    std::vector<std::size_t> sizes;
    for (const TokenId id : tokenizer.encode("\U0001f999")) {
      tokenizer.append_piece(id, text);
      sizes.push_back(text.size());
    }
    CHECK(sizes == std::vector<std::size_t>{1, 2, 3, 4});
    CHECK(text == "\U0001f999");
  }

  TEST_CASE("a tokenizer that is moved still works") {
    Tokenizer first = code_vocabulary().tokenizer();
    const Tokenizer second = std::move(first);
    CHECK(second.decode(second.encode("return value")) == "return value");
  }

  TEST_CASE("each kind has one row, found by number and by name") {
    for (const TokenizerKindRow& row : tokenizer_kinds()) {
      CHECK(find_tokenizer_kind(row.kind) == &row);
      CHECK(find_tokenizer_kind(row.gguf_name) == &row);
    }
    CHECK(find_tokenizer_kind("no such") == nullptr);
    CHECK(find_tokenizer_kind(TokenizerKind{0}) == nullptr);
  }
}

}  // namespace kinglet::inference
