// What a prompt looks like for each family of models: a table of layouts, each readable as the
// prompt that it makes.
//
//   {<|fim_prefix|>}   the control token of this text; {pre} {suf} {mid} {rep} {sep} {eos}: the one
//                      the vocabulary has in this role, whatever it is called
//   $repo $path        the repository's name, the current file's path
//   $comment           what begins a comment in the current file's language, with a space: "// "
//   $language          what a code fence says of it: "cpp"
//   $fence             a code fence that the file itself is not likely to hold
//   $space             the space that this vocabulary was trained to see before a text; perhaps
//   none $chunks            the repository's chunks, each in the format's own `chunk` layout, where
//                      $header is "path\n" and $text the chunk
//   $prefix, $suffix   the current file's lines before and after the line where it was cut
//   $head, $tail       the prefix in two: its last lines are the tail
//
// All else is text. What is typed at the cut follows the layout, so that a prompt only grows at
// its end while someone types; layouts hold no $typed.
//
// Texts, chunks and the parts of the file are segments of their own, tokenized alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/features/chat_template.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::daemon {

/// Where a prompt is made for: names the model is told.
struct PromptPlace {
  std::string_view repository;  // its folder's name
  std::string_view path;        // of the current file, relative to the root
};

enum class PartKind : std::uint8_t {
  kControl,
  kText,  // with names still in it: fill_in()
  kChunks,
  kHeader,
  kChunkText,
  kPrefix,
  kHead,
  kTail,
  kSuffix,
};

struct Part {
  PartKind kind = PartKind::kText;
  inference::TokenId token = inference::kNoToken;  // of kControl
  std::string text;                                // of kText
};
using Layout = std::vector<Part>;

/// Nothing when the vocabulary lacks one of the layout's control tokens.
std::optional<Layout> read_layout(std::string_view layout, const inference::Vocabulary& vocabulary);

/// A text of a layout with the names of a place.
std::string fill_in(std::string_view text,
                    const PromptPlace& place,
                    const inference::Vocabulary& vocabulary);

/// The current file's code fence: longer than three ticks where files hold fences themselves.
std::string fence_for(std::string_view path);

struct PromptFormat {
  std::string_view name;
  Layout layout;
  Layout chunk;
  /// The answer is over at a line that begins so (with a place's names filled in); may be empty.
  std::string closing;
  bool holds_suffix = false;
};

/// The format for a model: its family's for filling in the middle, the conversation of an instruct
/// model that knows no such thing (`chat` is its template, or nullptr), else plain continuation.
PromptFormat choose_prompt_format(const inference::Vocabulary& vocabulary,
                                  const ChatTemplate* chat);

}  // namespace kinglet::daemon
