// What `kinglet context` prints of answers to kinglet/context (daemon/features/prompt_parts.h),
// each with the "place" that was asked for, as people write it.
#pragma once

#include "lsp/json.h"

namespace kinglet::daemon {

/// Each part in a line, and their sum.
void print_context(const lsp::Json& context);

/// Each part's text below a line that says what it is.
void print_context_texts(const lsp::Json& context);

/// The parts of two answers, marked '-' (only in the first), '+' (only in the second) or '=', and
/// how many tokens stay from the beginning: what an engine that has computed the first need not
/// compute for the second. Each has a "place", for people.
void print_context_difference(const lsp::Json& first, const lsp::Json& second);

}  // namespace kinglet::daemon
