// What our commands draw: colors and bars for terminals, plain lines for everything else.
#pragma once

#include <cstdio>
#include <string>

#include "lsp/json.h"

namespace kinglet::daemon {

class Screen {
 public:
  explicit Screen(std::FILE* out = stdout);

  std::FILE* out() const { return out_; }
  bool is_terminal() const { return terminal_; }
  const char* bold() const { return terminal_ ? "\033[1m" : ""; }
  const char* grey() const { return terminal_ ? "\033[38;5;245m" : ""; }
  const char* plain() const { return terminal_ ? "\033[0m" : ""; }
  void row(const char* label, const std::string& text) const;

 private:
  std::FILE* out_;
  bool terminal_;
};

/// One bar at a time, redrawn in place; without a terminal a line when it begins.
class ProgressBar {
 public:
  /// `screen` outlives it.
  explicit ProgressBar(const Screen& screen) : screen_(screen) {}

  /// A value of `$/progress`: WorkDoneProgressBegin, …Report or …End.
  void update(const lsp::Json& value);

 private:
  const Screen& screen_;
  std::string title_;
};

}  // namespace kinglet::daemon
