#include "indexer/commands.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxArgumentBytes = 200;

struct Row {
  std::string_view command;
  SymbolKind kind;
  std::string_view end = {};  // the command that ends its body
};
constexpr std::array<Row, 9> kRows = {{
    {"function", SymbolKind::kFunction, "endfunction"},
    {"macro", SymbolKind::kMacro, "endmacro"},
    {"project", SymbolKind::kModule},
    {"add_library", SymbolKind::kKey},
    {"add_executable", SymbolKind::kKey},
    {"add_custom_target", SymbolKind::kKey},
    {"add_test", SymbolKind::kFunction},
    {"option", SymbolKind::kVariable},
    {"set", SymbolKind::kVariable},
}};

struct Command {
  std::string name;           // in lower case
  std::string_view argument;  // the first one
  std::string_view second;    // the next one
  std::uint32_t begin = 0;    // of the name
  std::uint32_t end = 0;      // past the closing bracket
  bool begins_line = false;   // nothing stands before it, no indentation either
};

// Reads a text command by command. Each byte is looked at once.
class Reader {
 public:
  Reader(std::string_view text, ByteRange where) : text_(text), at_(where.begin), end_(where.end) {}

  std::optional<Command> next() {
    while (at_ < end_) {
      skip_blank();
      if (at_ >= end_) break;
      if (!is_identifier_byte(text_[at_])) {
        skip_element();
        continue;
      }
      Command command;
      command.begin = static_cast<std::uint32_t>(at_);
      command.begins_line = at_ == 0 || text_[at_ - 1] == '\n';
      while (at_ < end_ && is_identifier_byte(text_[at_])) {
        const char c = text_[at_++];
        command.name += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      }
      while (at_ < end_ && (text_[at_] == ' ' || text_[at_] == '\t'))
        ++at_;
      if (at_ >= end_ || text_[at_] != '(') continue;
      ++at_;
      arguments(command);
      command.end = static_cast<std::uint32_t>(std::min(at_, end_));
      return command;
    }
    return std::nullopt;
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  void skip_blank() {
    while (at_ < end_ && is_blank(text_[at_]))
      ++at_;
  }

  // Up to the bracket that closes the command.
  void arguments(Command& command) {
    std::size_t n_arguments = 0;
    for (std::size_t depth = 1; at_ < end_;) {
      skip_blank();
      if (at_ >= end_) return;
      if (text_[at_] == '(') ++depth;
      if (text_[at_] == ')' && --depth == 0) {
        ++at_;
        return;
      }
      const std::size_t begin = at_;
      const bool is_comment = text_[at_] == '#';
      skip_element();
      if (is_comment) continue;
      const std::string_view argument = text_.substr(begin, std::min(at_, end_) - begin);
      if (n_arguments == 0) command.argument = argument;
      if (n_arguments == 1) command.second = argument;
      ++n_arguments;
    }
  }

  // A comment, a string, [[…]], a word or a sign.
  void skip_element() {
    const char c = text_[at_];
    if (c == '#' || c == '[') {
      const std::size_t open = at_ + (c == '#' ? 1 : 0);
      std::size_t last = open;
      if (last < end_ && text_[last] == '[') {
        do
          ++last;
        while (last < end_ && text_[last] == '=');
        if (last < end_ && text_[last] == '[') return skip_long(open, last);
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), end_);
        return;
      }
    }
    if (c == '"') {
      for (++at_; at_ < end_ && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '\\') ++at_;
      }
      ++at_;
      return;
    }
    if (c == '(' || c == ')') {
      ++at_;
      return;
    }
    do
      at_ += text_[at_] == '\\' ? 2 : 1;
    while (at_ < end_ && !is_blank(text_[at_]) && text_[at_] != '(' && text_[at_] != ')' &&
           text_[at_] != '"' && text_[at_] != '#');
  }

  // [==[ … ]==]. Unclosed ones of each length are looked for once.
  void skip_long(std::size_t open, std::size_t last) {
    const std::size_t n_equals = last - open - 1;
    at_ = last + 1;
    if (n_equals >= unclosed_.size() || unclosed_[n_equals]) return;
    const std::string close = "]" + std::string(n_equals, '=') + "]";
    const std::size_t found = text_.substr(0, end_).find(close, at_);
    if (found == std::string_view::npos) {
      unclosed_[n_equals] = true;
    } else {
      at_ = found + close.size();
    }
  }

  const std::string_view text_;
  std::size_t at_;
  const std::size_t end_;
  std::array<bool, 8> unclosed_{};
};

}  // namespace

void find_commands(const Language& language,
                   std::string_view text,
                   ByteRange where,
                   std::vector<Candidate>& candidates) {
  Reader reader(text, where);
  std::vector<std::size_t> open;  // candidates whose end command is awaited
  std::vector<std::string_view> ends;
  while (const auto command = reader.next()) {
    if (!ends.empty() && command->name == ends.back()) {
      Candidate& candidate = candidates[open.back()];
      candidate.definition.range.end = command->end;
      candidate.signature.end = command->end;
      candidate.body.end = command->end;
      open.pop_back();
      ends.pop_back();
      continue;
    }
    const auto* row = std::find_if(
        kRows.begin(), kRows.end(), [&](const Row& r) { return r.command == command->name; });
    if (row == kRows.end()) continue;
    // Locals of functions and branches are no definitions.
    if (row->command == "set" && !command->begins_line) continue;
    const bool is_test = row->command == "add_test";
    const std::string_view name =
        is_test && command->argument == "NAME" ? command->second : command->argument;
    if (name.empty() || name.size() > kMaxArgumentBytes ||
        name.find('$') != std::string_view::npos) {
      continue;
    }
    Candidate candidate;
    candidate.definition.kind = row->kind;
    candidate.definition.evidence = Evidence::kLexical;
    candidate.definition.is_test = is_test;
    candidate.definition.range = {command->begin, command->end};
    candidate.signature = candidate.definition.range;
    if (!row->end.empty()) {
      candidate.definition.has_body = true;
      candidate.body = {command->end, command->end};
    }
    const auto begin = static_cast<std::uint32_t>(name.data() - text.data());
    if (!set_name(candidate,
                  text,
                  {begin, begin + static_cast<std::uint32_t>(name.size())},
                  language.scope_separator)) {
      continue;
    }
    candidates.push_back(std::move(candidate));
    if (!row->end.empty() && open.size() < 64) {
      open.push_back(candidates.size() - 1);
      ends.push_back(row->end);
    }
  }
}

}  // namespace kinglet::indexer
