#include "daemon/commands/demo_site.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "indexer/language.h"
#include "indexer/scan.h"

namespace kinglet::daemon {
namespace {

constexpr std::uint64_t kMinBytes = 1500;
constexpr std::uint64_t kMaxBytes = 200'000;

struct Line {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back({begin, end});
    begin = end + 1;
  }
  return lines;
}

// Where to cut a line of code, counted from its start; nothing for lines that say little.
std::optional<std::size_t> cut_of(std::string_view line) {
  const std::size_t indent = line.find_first_not_of(" \t");
  if (indent == std::string_view::npos || indent < 2) return std::nullopt;
  const std::string_view code = line.substr(indent);
  if (code.size() < 16 || code.size() > 90) return std::nullopt;
  if (std::string_view("#/*\"'").find(code.front()) != std::string_view::npos) return std::nullopt;
  const std::size_t sign = code.find_first_of("(=.");
  if (sign == std::string_view::npos || sign < 3 || code.size() - sign < 8) return std::nullopt;
  std::size_t cut = indent + sign + 1;
  while (cut < line.size() && (line[cut] == ' ' || line[cut] == '='))
    ++cut;
  return cut;
}

DemoSite site_in(const std::string& path,
                 std::string_view text,
                 std::size_t line_idx,
                 Line line,
                 std::size_t column) {
  DemoSite site;
  site.path = path;
  site.before = text.substr(0, line.begin + column);
  site.was_there = text.substr(line.begin + column, line.end - line.begin - column);
  site.after = text.substr(line.end);
  site.line = static_cast<std::uint32_t>(line_idx);
  site.column = static_cast<std::uint32_t>(column);
  return site;
}

// The file's last line that says something, cut in its middle.
std::optional<DemoSite> last_line_of(const std::string& path,
                                     std::string_view text,
                                     const std::vector<Line>& lines) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string_view line = text.substr(lines[i].begin, lines[i].end - lines[i].begin);
    const std::size_t indent = line.find_first_not_of(" \t\r");
    if (indent == std::string_view::npos) continue;
    return site_in(path, text, i, lines[i], indent + (line.size() - indent) / 2);
  }
  return std::nullopt;
}

}  // namespace

Result<DemoSite> choose_demo_site(const std::filesystem::path& root, std::uint32_t seed) {
  const indexer::Root folder = TRY(indexer::Root::open(root.string()));
  const indexer::ScanResult found = TRY(indexer::scan(folder));
  std::vector<std::string> files;
  for (const indexer::ScannedFile& file : found.files) {
    const indexer::Language& language = indexer::language_of(file.path, {});
    const bool parsed = language.grammar != nullptr && !language.is_data;
    if (parsed && file.n_bytes <= kMaxBytes) files.push_back(file.path);
  }
  std::optional<DemoSite> fallback;  // in a repository of few, short files
  // Spread over the repository instead of taking its first folder.
  for (std::size_t n = 0; n < files.size(); ++n) {
    const std::string& file = files[(std::size_t{seed} * 7919 + n * 104729) % files.size()];
    const auto text = folder.read(file, kMaxBytes);
    if (!text || indexer::judge_content(file, *text)) continue;
    const std::vector<Line> lines = lines_of(*text);
    if (!fallback) fallback = last_line_of(file, *text, lines);
    if (text->size() < kMinBytes) continue;
    // In the second half definitions stand above and there is something to complete from.
    for (std::size_t i = lines.size() / 2; i < lines.size(); ++i) {
      const auto view =
          std::string_view(*text).substr(lines[i].begin, lines[i].end - lines[i].begin);
      if (const auto cut = cut_of(view)) return site_in(file, *text, i, lines[i], *cut);
    }
  }
  if (fallback) return *std::move(fallback);
  return fail(ErrorCode::kNotFound,
              "no place to complete at in " + root.string() +
                  ": it holds no file of a language that Kinglet parses; name one with --at "
                  "FILE:LINE:COLUMN");
}

Result<DemoSite> demo_site_at(const std::filesystem::path& root, std::string_view place) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(place) +
                    "' is not a place: give FILE:LINE:COLUMN, counted from 1, the file relative "
                    "to the repository");
  };
  const std::size_t second = place.rfind(':');
  if (second == std::string_view::npos || second == 0) return wrong();
  const std::size_t first = place.rfind(':', second - 1);
  if (first == std::string_view::npos || first == 0) return wrong();
  const auto number = [](std::string_view digits) -> std::optional<std::size_t> {
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc() || end != digits.data() + digits.size() || n == 0) return std::nullopt;
    return n - 1;
  };
  const auto line = number(place.substr(first + 1, second - first - 1));
  const auto column = number(place.substr(second + 1));
  if (!line || !column) return wrong();

  const indexer::Root folder = TRY(indexer::Root::open(root.string()));
  const std::string file(place.substr(0, first));
  const std::string text = TRY(folder.read(file, std::uint64_t{64} << 20));
  const std::vector<Line> lines = lines_of(text);
  if (*line >= lines.size()) {
    return fail(
        ErrorCode::kInvalidArgument,
        file + " has " + std::to_string(lines.size()) + " lines, not " + std::to_string(*line + 1));
  }
  const Line at = lines[*line];
  return site_in(file, text, *line, at, std::min(*column, at.end - at.begin));
}

}  // namespace kinglet::daemon
