#include "indexer/context/hole.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <set>

#include <tree_sitter/api.h>

#include "indexer/chunks.h"
#include "indexer/flat_tree.h"
#include "indexer/identifiers.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMinLineBytes = 20;
constexpr std::size_t kMaxLineBytes = 160;
constexpr std::uint32_t kMinBlockLines = 3;
constexpr std::uint32_t kMaxBlockLines = 12;
constexpr std::size_t kMinNameBytes = 5;
constexpr std::chrono::seconds kParseTime{10};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f") == std::string_view::npos;
}

ByteRange trimmed(std::string_view text, ByteRange range) {
  while (range.begin < range.end && is_blank(text.substr(range.begin, 1)))
    ++range.begin;
  while (range.end > range.begin && is_blank(text.substr(range.end - 1, 1)))
    --range.end;
  return range;
}

class Finder {
 public:
  Finder(const Snapshot& index,
         const std::string& path,
         const Language& language,
         std::string_view text)
      : index_(index), path_(path), language_(language), text_(text), lines_(line_starts(text)) {}

  std::vector<Hole> run() {
    const Tree tree = parse_tree(language_.grammar(), text_, {thread_time() + kParseTime, {}});
    if (!tree) return {};
    flat_.read(tree.get());
    is_code_.assign(lines_.size(), true);
    for (const Import& import : index_.imports_of(path_))
      leave_out(import.range);
    for (const FlatNode& node : flat_.nodes()) {
      if (name_of(node).find("comment") != std::string_view::npos) leave_out(node.range);
    }
    add_lines();
    add_blocks();
    add_calls();
    add_first_uses();
    return std::move(holes_);
  }

 private:
  std::string_view name_of(const FlatNode& node) const {
    if (node.kind == kErrorKind) return {};
    const char* name = ts_language_symbol_name(language_.grammar(), node.kind);
    return name != nullptr ? name : std::string_view();
  }

  std::size_t line_at(std::uint32_t offset) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(lines_, offset) - lines_.begin()) - 1;
  }
  ByteRange line(std::size_t number) const {
    const auto end =
        number + 1 < lines_.size() ? lines_[number + 1] : static_cast<std::uint32_t>(text_.size());
    return {lines_[number], end};
  }
  void leave_out(ByteRange range) {
    if (range.size() == 0) return;
    for (std::size_t i = line_at(range.begin); i <= line_at(range.end - 1); ++i)
      is_code_[i] = false;
  }
  bool is_code(std::size_t first, std::size_t last) const {
    for (std::size_t i = first; i <= last; ++i) {
      if (!is_code_[i]) return false;
    }
    return true;
  }
  void add(HoleKind kind, ByteRange range) { holes_.push_back({path_, kind, range}); }

  static bool has_length_of_line(ByteRange range) {
    return range.size() >= kMinLineBytes && range.size() <= kMaxLineBytes;
  }

  void add_lines() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const ByteRange range = trimmed(text_, line(i));
      if (is_code_[i] && has_length_of_line(range)) add(HoleKind::kLine, range);
    }
  }

  void add_blocks() {
    std::uint32_t past = 0;
    const auto& nodes = flat_.nodes();
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const FlatNode& node = nodes[i];
      if (!node.is_named || node.range.begin < past || node.range.size() == 0) continue;
      const ByteRange range = trimmed(text_, node.range);
      if (range.size() == 0) continue;
      const std::size_t first = line_at(range.begin);
      const std::size_t last = line_at(range.end - 1);
      const std::size_t n_lines = last - first + 1;
      if (n_lines < kMinBlockLines || n_lines > kMaxBlockLines || !is_code(first, last)) continue;
      const ByteRange whole{lines_[first], line(last).end};
      if (trimmed(text_, whole) != range) continue;
      add(HoleKind::kBlock, range);
      past = range.end;
    }
  }

  void add_calls() {
    std::uint32_t past = 0;
    for (const FlatNode& node : flat_.nodes()) {
      const std::string_view name = name_of(node);
      const bool is_call = name.find("call") != std::string_view::npos ||
                           name.find("invocation") != std::string_view::npos;
      if (!is_call || !node.is_named || node.range.begin < past) continue;
      const std::string_view text = node.range.of(text_);
      if (!has_length_of_line(node.range) || text.find('\n') != std::string_view::npos) continue;
      const std::size_t open = text.find('(');
      if (open == std::string_view::npos || text[open + 1] == ')' || !text.ends_with(')')) continue;
      if (!is_code_[line_at(node.range.begin)]) continue;
      add(HoleKind::kCall, node.range);
      past = node.range.end;
    }
  }

  void add_first_uses() {
    std::set<std::string, std::less<>> seen;
    for (const Symbol& symbol : index_.definitions_in(path_))
      seen.insert(symbol.definition.name);
    std::size_t last_line = SIZE_MAX;
    for_each_identifier(text_, [&](std::size_t at, std::string_view name) {
      const std::size_t number = line_at(static_cast<std::uint32_t>(at));
      if (name.size() < kMinNameBytes || !is_code_[number]) return;
      if (!seen.emplace(name).second || index_.n_defining_files(name) == 0) return;
      const ByteRange range = trimmed(text_, line(number));
      if (number == last_line || !has_length_of_line(range)) return;
      last_line = number;
      add(HoleKind::kFirstUse, range);
    });
  }

  const Snapshot& index_;
  const std::string& path_;
  const Language& language_;
  std::string_view text_;
  std::vector<std::uint32_t> lines_;
  FlatTree flat_;
  std::vector<bool> is_code_;  // by line: neither comment nor import
  std::vector<Hole> holes_;
};

}  // namespace

std::string_view name_of(HoleKind kind) {
  static constexpr std::array<std::string_view, kHoleKinds> kNames = {
      "line", "block", "call", "first use", "commit"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<Hole> find_holes(const Snapshot& index,
                             const std::string& path,
                             const Language& language,
                             std::string_view text) {
  if (language.grammar == nullptr || language.is_data || text.empty()) return {};
  return Finder(index, path, language, text).run();
}

HiddenText hide(std::string_view text, ByteRange hole) {
  HiddenText hidden;
  hidden.text.reserve(text.size() - hole.size());
  hidden.text += text.substr(0, hole.begin);
  hidden.text += text.substr(hole.end);
  const std::string_view left = hidden.text;
  std::size_t begin = hole.begin;
  for (std::size_t n = 0; n <= kVisibleLinesBefore && begin > 0; ++n) {
    const std::size_t line_feed = left.rfind('\n', begin - 1);
    if (line_feed == std::string_view::npos) {
      begin = 0;
    } else {
      begin = n == kVisibleLinesBefore ? line_feed + 1 : line_feed;
    }
  }
  std::size_t end = hole.begin;
  for (std::size_t n = 0; n <= kVisibleLinesAfter && end < left.size(); ++n)
    end = std::min(left.find('\n', end), left.size() - 1) + 1;
  hidden.visible = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  return hidden;
}

}  // namespace kinglet::indexer
