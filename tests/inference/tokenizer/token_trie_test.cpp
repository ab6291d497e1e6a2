#include "inference/tokenizer/token_trie.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::test {

using inference::take_back;
using inference::TokenId;
using inference::Tokenizer;
using inference::TokenTrie;

TEST_SUITE("inference/tokenizer/token_trie") {
  TEST_CASE("the tokens below a node are those whose text begins with its bytes") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    CHECK(trie.n_vocabulary() == tokenizer.vocabulary().size());
    for (const std::string prefix :
         {"", "r", "re", "ret", "return", " ", " v", "\xc3", "zz", "ä"}) {
      INFO(prefix);
      std::vector<TokenId> expected;
      std::vector<TokenId> exactly;
      for (TokenId id = 0; tokenizer.vocabulary().contains(id); ++id) {
        std::string text;
        tokenizer.append_piece(id, text);
        if (!text.empty() && text.starts_with(prefix)) expected.push_back(id);
        if (!text.empty() && text == prefix) exactly.push_back(id);
      }
      const auto node = trie.find(prefix);
      REQUIRE(node.has_value() == (prefix.empty() || !expected.empty()));
      if (!node) continue;
      const auto below = trie.tokens_below(*node);
      std::vector<TokenId> found(below.begin(), below.end());
      std::sort(found.begin(), found.end());
      CHECK(found == expected);
      const auto at = trie.tokens_at(*node);
      CHECK(std::vector(at.begin(), at.end()) == exactly);
      CHECK(trie.nodes()[*node].depth == prefix.size());
    }
  }

  TEST_CASE("walking the nodes in order spells every token once") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    std::string path;
    std::size_t n_tokens = 0;
    for (TokenTrie::NodeIndex node = 1; node < trie.nodes().size(); ++node) {
      path.resize(trie.nodes()[node].depth - 1U);
      path += static_cast<char>(trie.nodes()[node].byte);
      for (const TokenId token : trie.tokens_at(node)) {
        CHECK(trie.text(token) == path);
        ++n_tokens;
      }
      CHECK(trie.nodes()[node].end > node);
      CHECK(trie.is_leaf(node) ==
            (node + 1 == trie.nodes().size() || trie.nodes()[node + 1].depth <= path.size()));
    }
    CHECK(n_tokens == trie.tokens_below(TokenTrie::kRoot).size());
    // A byte token and the letter's own token share a node.
    CHECK(trie.tokens_at(*trie.find("r")).size() == 2);
  }

  TEST_CASE("tokens that are no text have none") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    CHECK(trie.text(tokenizer.vocabulary().special().eos).empty());
    CHECK(trie.text(-1).empty());
    CHECK(trie.text(1'000'000).empty());
    CHECK(trie.longest_text() == 7);  // " return"
  }

  TEST_CASE("what ends inside a longer token is taken back, and no more") {
    const Tokenizer tokenizer = code_vocabulary().tokenizer();
    const TokenTrie trie(tokenizer);
    const auto id = [&](const std::string& text) {
      const auto found = tokenizer.vocabulary().find(text);
      REQUIRE(found.has_value());
      return *found;
    };
    const TokenId first = tokenizer.vocabulary().special().bos;
    const auto taken = [&](const std::vector<TokenId>& prompt) {
      const auto back = take_back(trie, prompt);
      return std::to_string(back.n_tokens) + ":" + back.text;
    };
    CHECK(taken({first, id("ret")}) == "1:ret");
    CHECK(taken({first, id("return")}) == "0:");
    CHECK(taken({first, id("x"), id("re"), id("t")}) == "2:ret");
    // Another spelling of a whole token counts, too.
    CHECK(taken({first, id("x"), id("retu"), id("r"), id("n")}) == "3:return");
    CHECK(taken({first, id("x"), id("\u2581")}) == "1: ");
    // "r" and "()" begin nothing together, and "()" nothing alone.
    CHECK(taken({first, id("r"), id("()")}) == "0:");
    // Neither control tokens nor the first token.
    CHECK(taken({id("r"), first}) == "0:");
    CHECK(taken({id("r")}) == "0:");
    CHECK(taken({id("r"), id("e")}) == "1:e");
    CHECK(taken({}) == "0:");
    // A byte token inside a character.
    CHECK(taken({first, TestVocabulary::kFirstByte + 0xc3}) == "1:\xc3");
  }
}

}  // namespace kinglet::test
