// Answers to kinglet/context (prompt_parts.h) as text: what `kinglet context` prints, and what
// editors show.
#pragma once

#include <string>

#include "lsp/json.h"

namespace kinglet::daemon {

/// What stands around headings, for terminals.
struct HeadingStyle {
  const char* begin = "";
  const char* end = "";
};

/// Each part in a line, and their sum; before them why the document is not indexed, if it is not.
std::string render_context(const lsp::Json& context, const HeadingStyle& style = {});

/// Each part's text below a line that says what it is.
std::string render_context_texts(const lsp::Json& context, const HeadingStyle& style = {});

/// The parts of two answers, marked '-' (only in the first), '+' (only in the second) or '=', and
/// how many tokens stay from the beginning: what an engine that has computed the first need not
/// compute for the second.
std::string render_context_difference(const lsp::Json& first,
                                      const lsp::Json& second,
                                      const HeadingStyle& style = {});

}  // namespace kinglet::daemon
