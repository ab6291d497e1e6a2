// How the turns of a conversation are written for chat models: a built-in table.
//
// A model file brings a template of its own, a program in Jinja. It is only searched for signs that
// tell which row is its family's; nothing of it is run.
#pragma once

#include <span>
#include <string_view>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::daemon {

/// One family. Turns are layouts as prompt_format.h reads them: "{<|end|>}" is a control token, all
/// else is text. A family without a system turn tells it as the user's first words.
struct ChatTemplate {
  std::string_view name;
  std::string_view system_begin;
  std::string_view system_end;
  std::string_view user_begin;
  std::string_view user_end;
  std::string_view assistant_begin;
  std::string_view assistant_end;
  /// What a file's own template holds if it is of this family; all of them, in any order.
  std::span<const std::string_view> signs;
};

/// In the order in which they are tried.
std::span<const ChatTemplate> all_chat_templates();
/// nullptr if there is none of that name.
const ChatTemplate* find_chat_template(std::string_view name);

/// The row for a model: `own` is the value of `tokenizer.chat_template` in its file, empty where it
/// has none. nullptr for models that do not chat, and for families we do not know.
const ChatTemplate* choose_chat_template(std::string_view own,
                                         const inference::Vocabulary& vocabulary);

}  // namespace kinglet::daemon
