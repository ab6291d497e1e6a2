#include "daemon/features/chat_template.h"

#include <algorithm>
#include <array>

#include "daemon/features/prompt_format.h"

namespace kinglet::daemon {
namespace {

using Sign = std::string_view;

constexpr Sign kPhi4Signs[] = {"<|im_sep|>"};
constexpr Sign kPhi4MiniSigns[] = {"'<|' + message['role'] + '|>'", "<|end|>"};
constexpr Sign kPhi3Signs[] = {"<|assistant|>", "<|end|>"};
constexpr Sign kQwen3Signs[] = {"<|im_start|>", "enable_thinking"};
constexpr Sign kChatMlSigns[] = {"<|im_start|>"};
constexpr Sign kLlama3Signs[] = {"<|start_header_id|>", "<|eot_id|>"};
constexpr Sign kGemmaSigns[] = {"<start_of_turn>"};
constexpr Sign kGraniteSigns[] = {"<|start_of_role|>"};
constexpr Sign kLlama2Signs[] = {"[INST]", "<<SYS>>"};
constexpr Sign kMistralSigns[] = {"[INST]"};
constexpr Sign kDeepSeekSigns[] = {"### Instruction:", "### Response:"};
constexpr Sign kStarCoder2Signs[] = {"### Instruction", "### Response"};

constexpr std::array kTemplates = {
    ChatTemplate{.name = "phi4",
                 .system_begin = "{<|im_start|>}system{<|im_sep|>}",
                 .system_end = "{<|im_end|>}",
                 .user_begin = "{<|im_start|>}user{<|im_sep|>}",
                 .user_end = "{<|im_end|>}",
                 .assistant_begin = "{<|im_start|>}assistant{<|im_sep|>}",
                 .assistant_end = "{<|im_end|>}",
                 .signs = kPhi4Signs},
    ChatTemplate{.name = "phi4-mini",
                 .system_begin = "{<|system|>}",
                 .system_end = "{<|end|>}",
                 .user_begin = "{<|user|>}",
                 .user_end = "{<|end|>}",
                 .assistant_begin = "{<|assistant|>}",
                 .assistant_end = "{<|end|>}",
                 .signs = kPhi4MiniSigns},
    ChatTemplate{.name = "phi3",
                 .system_begin = "{<|system|>}\n",
                 .system_end = "{<|end|>}\n",
                 .user_begin = "{<|user|>}\n",
                 .user_end = "{<|end|>}\n",
                 .assistant_begin = "{<|assistant|>}\n",
                 .assistant_end = "{<|end|>}",
                 .signs = kPhi3Signs},
    // Thinks aloud first, unless its thoughts are there already: none.
    ChatTemplate{.name = "qwen3",
                 .system_begin = "{<|im_start|>}system\n",
                 .system_end = "{<|im_end|>}\n",
                 .user_begin = "{<|im_start|>}user\n",
                 .user_end = "{<|im_end|>}\n",
                 .assistant_begin = "{<|im_start|>}assistant\n{<think>}\n\n{</think>}\n\n",
                 .assistant_end = "{<|im_end|>}",
                 .signs = kQwen3Signs},
    ChatTemplate{.name = "chatml",
                 .system_begin = "{<|im_start|>}system\n",
                 .system_end = "{<|im_end|>}\n",
                 .user_begin = "{<|im_start|>}user\n",
                 .user_end = "{<|im_end|>}\n",
                 .assistant_begin = "{<|im_start|>}assistant\n",
                 .assistant_end = "{<|im_end|>}",
                 .signs = kChatMlSigns},
    ChatTemplate{.name = "llama3",
                 .system_begin = "{<|start_header_id|>}system{<|end_header_id|>}\n\n",
                 .system_end = "{<|eot_id|>}",
                 .user_begin = "{<|start_header_id|>}user{<|end_header_id|>}\n\n",
                 .user_end = "{<|eot_id|>}",
                 .assistant_begin = "{<|start_header_id|>}assistant{<|end_header_id|>}\n\n",
                 .assistant_end = "{<|eot_id|>}",
                 .signs = kLlama3Signs},
    ChatTemplate{.name = "gemma",
                 .system_begin = "{<start_of_turn>}user\n",
                 .system_end = "\n\n",
                 .user_begin = "",
                 .user_end = "{<end_of_turn>}\n",
                 .assistant_begin = "{<start_of_turn>}model\n",
                 .assistant_end = "{<end_of_turn>}",
                 .signs = kGemmaSigns},
    ChatTemplate{.name = "granite",
                 .system_begin = "{<|start_of_role|>}system{<|end_of_role|>}",
                 .system_end = "{<|end_of_text|>}\n",
                 .user_begin = "{<|start_of_role|>}user{<|end_of_role|>}",
                 .user_end = "{<|end_of_text|>}\n",
                 .assistant_begin = "{<|start_of_role|>}assistant{<|end_of_role|>}",
                 .assistant_end = "{<|end_of_text|>}",
                 .signs = kGraniteSigns},
    // CodeLlama's and Llama 2's brackets are no tokens of their own.
    ChatTemplate{.name = "llama2",
                 .system_begin = "[INST] <<SYS>>\n",
                 .system_end = "\n<</SYS>>\n\n",
                 .user_begin = "",
                 .user_end = " [/INST]",
                 .assistant_begin = " ",
                 .assistant_end = "{eos}",
                 .signs = kLlama2Signs},
    // From version 3 on Mistral's are.
    ChatTemplate{.name = "mistral",
                 .system_begin = "{[INST]} ",
                 .system_end = "\n\n",
                 .user_begin = "",
                 .user_end = "{[/INST]}",
                 .assistant_begin = "",
                 .assistant_end = "{eos}",
                 .signs = kMistralSigns},
    ChatTemplate{.name = "mistral-v1",
                 .system_begin = "[INST] ",
                 .system_end = "\n\n",
                 .user_begin = "",
                 .user_end = " [/INST]",
                 .assistant_begin = "",
                 .assistant_end = "{eos}",
                 .signs = kMistralSigns},
    ChatTemplate{.name = "deepseek-coder",
                 .system_begin = "",
                 .system_end = "\n",
                 .user_begin = "### Instruction:\n",
                 .user_end = "\n",
                 .assistant_begin = "### Response:\n",
                 .assistant_end = "{<|EOT|>}",
                 .signs = kDeepSeekSigns},
    ChatTemplate{.name = "starcoder2",
                 .system_begin = "",
                 .system_end = "\n\n",
                 .user_begin = "### Instruction\n",
                 .user_end = "\n\n",
                 .assistant_begin = "### Response\n",
                 .assistant_end = "{eos}",
                 .signs = kStarCoder2Signs},
};

bool has_tokens_of(const ChatTemplate& chat, const inference::Vocabulary& vocabulary) {
  const auto is_there = [&](std::string_view layout) {
    return read_layout(layout, vocabulary).has_value();
  };
  return std::ranges::all_of(std::array{chat.system_begin,
                                        chat.system_end,
                                        chat.user_begin,
                                        chat.user_end,
                                        chat.assistant_begin,
                                        chat.assistant_end},
                             is_there);
}

}  // namespace

std::span<const ChatTemplate> all_chat_templates() {
  return kTemplates;
}

const ChatTemplate* find_chat_template(std::string_view name) {
  const auto found = std::ranges::find(kTemplates, name, &ChatTemplate::name);
  return found == kTemplates.end() ? nullptr : &*found;
}

const ChatTemplate* choose_chat_template(std::string_view own,
                                         const inference::Vocabulary& vocabulary) {
  // Files of Phi-3 are about without a template; who has its tokens was made to chat.
  if (own.empty()) {
    const ChatTemplate* phi3 = find_chat_template("phi3");
    return has_tokens_of(*phi3, vocabulary) ? phi3 : nullptr;
  }
  for (const ChatTemplate& chat : kTemplates) {
    const bool is_family = std::ranges::all_of(
        chat.signs, [&](Sign sign) { return own.find(sign) != std::string_view::npos; });
    if (is_family && has_tokens_of(chat, vocabulary)) return &chat;
  }
  return nullptr;
}

}  // namespace kinglet::daemon
