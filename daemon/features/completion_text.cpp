#include "daemon/features/completion_text.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace kinglet::daemon {
namespace {

std::string_view trim_right(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : trim_right(text.substr(first));
}

std::string_view indentation(std::string_view line) {
  return line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
}

std::string_view first_filled_line(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!trim(line).empty()) return line;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

// A character cut at the end of `text` is not shown before its last byte has come.
std::string_view whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(4, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return back < length ? text.substr(0, text.size() - back) : text;
  }
  return text;
}

bool is_open_bracket(char c) {
  return c == '(' || c == '[' || c == '{';
}

bool is_close_bracket(char c) {
  return c == ')' || c == ']' || c == '}';
}

char closer_of(char open) {
  return open == '(' ? ')' : open == '[' ? ']' : '}';
}

bool leaves_bracket_open(std::string_view line) {
  int depth = 0;
  for (const char c : line) {
    if (is_open_bracket(c)) ++depth;
    if (is_close_bracket(c) && depth > 0) --depth;
  }
  return depth > 0;
}

// Drops from the end of `line` what the rest of the editor's line starts with (`foo"` before `"`),
// unless a bracket opened in `line` needs it.
std::string_view without_overlap(std::string_view line, std::string_view rest_of_line) {
  const std::string_view rest = trim_right(rest_of_line);
  for (std::size_t n = std::min(line.size(), rest.size()); n > 0; --n) {
    const std::string_view kept = line.substr(0, line.size() - n);
    if (line.substr(kept.size()) == rest.substr(0, n) && !leaves_bracket_open(kept)) return kept;
  }
  return line;
}

// Where the output closes a bracket that it did not open and that the rest of the line closes, too.
std::size_t end_at_foreign_closer(std::string_view line, std::string_view rest_of_line) {
  const std::string_view rest = trim(rest_of_line);
  if (rest.empty()) return line.size();
  std::string open;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (is_open_bracket(c)) open.push_back(closer_of(c));
    if (!is_close_bracket(c)) continue;
    if (!open.empty() && open.back() == c) {
      open.pop_back();
    } else if (open.empty() && rest.front() == c) {
      return i;
    }
  }
  return line.size();
}

// Small models fall into saying one thing over and over on one line.
bool ends_in_a_loop(std::string_view line) {
  constexpr std::size_t kMinUnit = 4;
  constexpr std::size_t kMinBytes = 24;
  for (std::size_t unit = kMinUnit; unit * 3 <= line.size(); ++unit) {
    const std::size_t n_repeats = std::max<std::size_t>(3, (kMinBytes + unit - 1) / unit);
    if (unit * n_repeats > line.size()) continue;
    const std::string_view tail = line.substr(line.size() - unit * n_repeats);
    // Every byte equals the one a unit before it.
    if (tail.substr(unit) == tail.substr(0, tail.size() - unit)) return true;
  }
  return false;
}

class LineRules {
 public:
  LineRules(const CompletionSite& site, std::string_view first_line)
      : indent_(indentation(site.typed).size()),
        suffix_line_(trim(first_filled_line(site.suffix))),
        closing_(site.closing),
        last_(trim(site.typed).empty() ? trim(first_line) : std::string_view()) {}

  // Whether the whole line ends the completion (and is not part of it).
  bool ends_at(std::string_view line) {
    if (closes(line)) return true;
    const std::string_view content = trim(line);
    if (content.empty()) return ++n_blank_ >= 2;
    n_blank_ = 0;
    if (!suffix_line_.empty() && content == suffix_line_) return true;
    if (indentation(line).size() < indent_) return true;
    n_same_ = content == last_ ? n_same_ + 1 : 1;
    last_ = content;
    return n_same_ >= 3 && content.size() > 1;
  }

  // Whether a line that is still being written may become one of those.
  bool may_end_at(std::string_view partial) const {
    const std::string_view content = trim(partial);
    if (content.empty()) return true;
    if (!closing_.empty() && closing_.starts_with(partial)) return true;
    if (indentation(partial).size() < indent_) return true;
    if (n_same_ >= 2 && last_.starts_with(content)) return true;
    return !suffix_line_.empty() && suffix_line_.substr(0, content.size()) == content;
  }

  // However the line goes on.
  bool closes(std::string_view line) const {
    return !closing_.empty() && line.starts_with(closing_);
  }

 private:
  std::size_t indent_;
  std::string_view suffix_line_;
  std::string_view closing_;
  std::string_view last_;
  int n_same_ = 1;
  int n_blank_ = 0;
};

}  // namespace

ShownText shown_text(const CompletionSite& site, std::string_view raw, ModelState state) {
  const bool running = state == ModelState::kRunning;
  raw = whole_characters(raw);
  std::size_t line_end = raw.find('\n');
  if (!site.closing.empty() && site.typed.empty()) {
    // The output begins a line.
    if (raw.starts_with(site.closing)) return {"", true};
    if (running && site.closing.starts_with(raw)) return {};
  }

  // Blanks at the end wait for what follows them, so that the text only ever grows.
  if (!trim(site.rest_of_line).empty()) {
    const std::string_view first = raw.substr(0, line_end);
    const std::size_t end = end_at_foreign_closer(first, site.rest_of_line);
    const std::string_view shown = without_overlap(first.substr(0, end), site.rest_of_line);
    const bool ended = line_end != std::string_view::npos || end < first.size();
    return {std::string(trim_right(shown)), ended || !running};
  }

  LineRules rules(site, raw.substr(0, line_end));
  std::size_t shown_end = std::min(line_end, raw.size());
  bool complete = !running;
  while (line_end != std::string_view::npos) {
    const std::size_t begin = line_end + 1;
    line_end = raw.find('\n', begin);
    const bool partial = line_end == std::string_view::npos;
    const std::string_view line = raw.substr(begin, partial ? line_end : line_end - begin);
    if (partial && running && !rules.closes(line)) {
      if (!rules.may_end_at(line)) shown_end = raw.size();
      break;
    }
    if (rules.ends_at(line)) {
      complete = true;
      break;
    }
    shown_end = begin + line.size();
  }
  const std::string_view shown = trim_right(raw.substr(0, shown_end));
  const std::string_view last_line = shown.substr(shown.rfind('\n') + 1);
  return {std::string(shown), complete || ends_in_a_loop(last_line)};
}

}  // namespace kinglet::daemon
