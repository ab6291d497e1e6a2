// Cuts text where no token stands across, so that its tokens can be kept line by line: a prompt is
// made again and again, and nearly all of its lines were in one before.
#pragma once

#include <string_view>

#include "inference/tokenizer/tokenizer.h"

namespace kinglet::inference {

/// Whether the tokens of a text are those of its line segments. So for vocabularies that never put
/// a line feed and what the next line is indented by into one token; GPT-2's do.
bool splits_at_lines(const Tokenizer& tokenizer);

/// Calls `visit(segment)` for parts that together are the text. Each ends where a line begins that
/// is not blank; blank ones belong to the line before.
template <class Visit>
void for_each_line_segment(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t line_feed = text.find('\n');
    const std::size_t next = text.find_first_not_of(" \t\r\n", line_feed);
    if (line_feed == std::string_view::npos || next == std::string_view::npos) break;
    const std::size_t begin = text.rfind('\n', next) + 1;
    visit(text.substr(0, begin));
    text.remove_prefix(begin);
  }
  if (!text.empty()) visit(text);
}

}  // namespace kinglet::inference
