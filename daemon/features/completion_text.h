// What of a model's raw output becomes ghost text: stops, cuts and trims. Pure text, so that every
// rule is a line in a table of tests.
#pragma once

#include <string>
#include <string_view>

namespace kinglet::daemon {

/// Where the completion stands. Views borrow from the document.
struct CompletionSite {
  std::string_view typed;         // the cursor's line up to the cursor
  std::string_view rest_of_line;  // the cursor's line after it (auto-closed brackets live there)
  std::string_view suffix;        // from the next line on
  std::string_view closing = {};  // a line of the output that begins so is no code; empty: none is
};

enum class ModelState { kRunning, kFinished };

struct ShownText {
  std::string text;       // what to show now; grows monotonically while the model runs
  bool complete = false;  // no further output changes `text`: generation can stop
};

/// The shown part of `raw`, the model's whole output so far (UTF-8, perhaps cut inside a
/// character).
///
/// - One line only when code follows the cursor on its line; what both the output and the rest of
///   the line hold is shown once.
/// - Ends before a line that begins as `closing` does (a code fence), that the suffix already
/// holds, before a dedent below the cursor's line,
///   at a second blank line, before a line said three times running, and in a line that has begun
///   to repeat itself.
/// - While the model runs, a last line that may still turn out to be one of those is held back.
ShownText shown_text(const CompletionSite& site, std::string_view raw, ModelState state);

}  // namespace kinglet::daemon
