#include "daemon/features/chat_template.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "daemon/features/prompt_format.h"
#include "tests/daemon/double_vocabulary.h"

namespace kinglet::daemon {
namespace {

using inference::TokenKind;
using inference::Vocabulary;

/// Control tokens and nothing else of note.
Vocabulary vocabulary(const std::vector<std::string>& controls) {
  const auto bytes = test::double_vocabulary("");
  inference::VocabularyParts parts;
  for (inference::TokenId id = 0; bytes->contains(id); ++id) {
    parts.texts.push_back(bytes->text(id));
    parts.kinds.push_back(bytes->kind(id));
  }
  for (const std::string& control : controls) {
    parts.texts.push_back(control);
    parts.kinds.push_back(TokenKind::kControl);
  }
  parts.scores.assign(parts.texts.size(), 0);
  parts.special.unknown = 0;
  parts.special.bos = 1;
  parts.special.eos = 2;
  return Vocabulary::create(parts).value();
}

std::string chosen(std::string_view own, const std::vector<std::string>& controls) {
  const Vocabulary made = vocabulary(controls);
  const ChatTemplate* chat = choose_chat_template(own, made);
  return chat == nullptr ? "none" : std::string(chat->name);
}

}  // namespace

TEST_SUITE("daemon/features/chat_template") {
  TEST_CASE("the signs of a file's own template and its tokens tell its family") {
    const std::vector<std::string> phi = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};
    CHECK(chosen("{% if message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + "
                 "'<|end|>\\n<|assistant|>\\n'}}",
                 phi) == "phi3");
    CHECK(chosen("{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
                 "{{ '<|assistant|>' }}",
                 phi) == "phi4-mini");
    CHECK(chosen("{{'<|im_start|>system<|im_sep|>'}}",
                 {"<|im_start|>", "<|im_end|>", "<|im_sep|>"}) == "phi4");
    CHECK(chosen("{{'<|im_start|>' + message.role}}", {"<|im_start|>", "<|im_end|>"}) == "chatml");
    CHECK(chosen("{{'<|im_start|>'}} enable_thinking",
                 {"<|im_start|>", "<|im_end|>", "<think>", "</think>"}) == "qwen3");
    CHECK(chosen("<|start_header_id|> <|eot_id|>",
                 {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) == "llama3");
    CHECK(chosen("{{'<start_of_turn>'}}", {"<start_of_turn>", "<end_of_turn>"}) == "gemma");
    CHECK(chosen("<|start_of_role|>",
                 {"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"}) == "granite");
    CHECK(chosen("[INST] <<SYS>>", {}) == "llama2");
    CHECK(chosen("[INST]", {"[INST]", "[/INST]"}) == "mistral");
    CHECK(chosen("[INST]", {}) == "mistral-v1");
    CHECK(chosen("### Instruction:\n### Response:\n", {"<|EOT|>"}) == "deepseek-coder");
    CHECK(chosen("### Instruction\n### Response\n", {}) == "starcoder2");
  }

  TEST_CASE("a template that is unknown, or whose tokens are not there, is none") {
    CHECK(chosen("{{ messages }}", {}) == "none");
    CHECK(chosen("<|im_start|>", {"<|im_start|>"}) == "none");
    CHECK(chosen("", {}) == "none");
    CHECK(chosen("", {"<|im_start|>", "<|im_end|>"}) == "none");
    // Files of Phi-3 without a template are about.
    CHECK(chosen("", {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"}) == "phi3");
  }

  TEST_CASE("names are unique, and every row can be found by its own") {
    std::set<std::string_view> names;
    for (const ChatTemplate& chat : all_chat_templates()) {
      CHECK(names.insert(chat.name).second);
      CHECK(find_chat_template(chat.name) == &chat);
      CHECK(!chat.signs.empty());
    }
    CHECK(find_chat_template("") == nullptr);
    CHECK(find_chat_template("nobody's") == nullptr);
  }
}

}  // namespace kinglet::daemon
