#include "indexer/chunks.h"

#include <algorithm>
#include <cassert>

namespace kinglet::indexer {
namespace {

constexpr std::uint32_t kCostOfDepth = 4;
constexpr std::uint32_t kMaxDepth = 1000;

bool is_blank_line(std::string_view line) {
  // As isspace() has them without a locale: the space, and \t to \r.
  return std::all_of(
      line.begin(), line.end(), [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

std::string_view line_at(std::string_view text,
                         const std::vector<std::uint32_t>& lines,
                         std::size_t i) {
  const std::size_t end = i + 1 < lines.size() ? lines[i + 1] : text.size();
  return text.substr(lines[i], end - lines[i]);
}

}  // namespace

std::vector<std::uint32_t> line_starts(std::string_view text) {
  std::vector<std::uint32_t> starts;
  for (std::size_t at = 0; at < text.size();) {
    starts.push_back(static_cast<std::uint32_t>(at));
    const std::size_t end = text.find('\n', at);
    at = end == std::string_view::npos ? text.size() : end + 1;
  }
  return starts;
}

std::vector<std::uint32_t> CutCosts::finish(std::string_view text,
                                            const std::vector<std::uint32_t>& lines,
                                            bool has_units) const {
  assert(lines.size() == penalty_.size());
  std::vector<std::uint32_t> costs(lines.size());
  std::int64_t depth = 0;
  bool after_blank = true;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    depth += change_[i];
    const std::string_view line = line_at(text, lines, i);
    const bool is_blank = is_blank_line(line);
    std::uint32_t nesting =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(depth, 0, kMaxDepth));
    if (!has_units) {
      const std::size_t indentation = line.find_first_not_of(" \t");
      nesting = is_blank || indentation == std::string_view::npos
                    ? 0
                    : static_cast<std::uint32_t>(std::min<std::size_t>(indentation, kMaxDepth));
    }
    costs[i] = nesting * kCostOfDepth + penalty_[i] + (after_blank && !is_blank ? 0 : 1);
    after_blank = is_blank;
  }
  return costs;
}

std::vector<ByteRange> cut_chunks(std::string_view text,
                                  const std::vector<std::uint32_t>& lines,
                                  const std::vector<std::uint32_t>& costs,
                                  std::size_t max_bytes) {
  const auto start_of = [&](std::size_t line) {
    return line < lines.size() ? lines[line] : static_cast<std::uint32_t>(text.size());
  };
  std::vector<ByteRange> chunks;
  for (std::size_t first = 0; first < lines.size();) {
    const std::uint32_t begin = start_of(first);
    // The furthest line before which this chunk may end, and the best one on the way.
    std::size_t best = first;
    std::size_t last = first;
    while (last < lines.size() && start_of(last + 1) - begin <= max_bytes) {
      ++last;
      const bool is_long_enough = start_of(last) - begin >= max_bytes / 4;
      if (last == lines.size() ||
          (is_long_enough && (best == first || costs[last] <= costs[best]))) {
        best = last;
      }
    }
    if (last == first) {  // one line that is too long
      ++first;
      continue;
    }
    if (best == first) best = last;
    const ByteRange chunk{begin, start_of(best)};
    if (!is_blank_line(chunk.of(text))) chunks.push_back(chunk);
    first = best;
  }
  return chunks;
}

}  // namespace kinglet::indexer
