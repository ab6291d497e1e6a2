#include "inference/tokenizer/pre_tokenizers.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace kinglet::inference {

TEST_SUITE("inference/tokenizer/pre_tokenizers") {
  TEST_CASE("each rule has one row, each name stands in one row") {
    std::set<PreTokenizer> rules;
    std::set<std::string> names;
    for (const PreTokenizerRow& row : pre_tokenizers()) {
      CHECK(rules.insert(row.rule).second);
      CHECK(find_pre_tokenizer(row.rule) == &row);
      CHECK(!row.patterns.empty());
      CHECK(!row.gguf_names.empty());
      for (const std::string_view name : row.gguf_names) {
        CHECK(names.insert(std::string(name)).second);
        CHECK(find_pre_tokenizer(name) == &row);
      }
    }
    CHECK(find_pre_tokenizer(PreTokenizer::kNone) == nullptr);
    CHECK(find_pre_tokenizer("llama-4-turbo") == nullptr);
    CHECK(find_pre_tokenizer("") == nullptr);
  }

  TEST_CASE("the list of names is for messages") {
    const std::string names = pre_tokenizer_names();
    CHECK(names.find("gpt-2, phi-2") == 0);
    CHECK(names.find(", qwen2, ") != std::string::npos);
    CHECK(names.substr(names.size() - 9) == ", default");
  }
}

}  // namespace kinglet::inference
