#include "daemon/commands/screen.h"

#include <unistd.h>

namespace kinglet::daemon {

Screen::Screen(std::FILE* out) : out_(out), terminal_(::isatty(::fileno(out)) == 1) {}

void Screen::row(const char* label, const std::string& text) const {
  std::fprintf(out_, "%s%-12s%s %s\n", bold(), label, plain(), text.c_str());
}

void ProgressBar::update(const lsp::Json& value) {
  const std::string kind = value.value("kind", "");
  if (kind == "begin") title_ = value.value("title", "");
  const std::string message = value.value("message", "");
  std::FILE* out = screen_.out();
  if (screen_.is_terminal()) {
    const int percentage = value.value("percentage", kind == "end" ? 100 : 0);
    std::fprintf(out, "\r\033[K%s %3d %% [", title_.c_str(), percentage);
    for (int i = 0; i < 30; ++i)
      std::fputs(i * 100 < percentage * 30 ? "=" : " ", out);
    std::fprintf(out, "] %s", message.c_str());
    if (kind == "end") std::fputs("\r\033[K", out);
    std::fflush(out);
  } else if (kind == "begin") {
    std::fprintf(out, "%s …\n", title_.c_str());
    std::fflush(out);
  }
}

}  // namespace kinglet::daemon
