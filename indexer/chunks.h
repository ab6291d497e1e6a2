// Cuts a file into chunks for search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"

namespace kinglet::indexer {

/// Offsets of the lines' first bytes; a text that ends with a line feed has no empty last line.
std::vector<std::uint32_t> line_starts(std::string_view text);

/// What it costs to cut before each line: how many syntactic units the cut goes through, and
/// whether it parts a comment from what it is about.
class CutCosts {
 public:
  explicit CutCosts(std::size_t n_lines) : change_(n_lines + 1, 0), penalty_(n_lines, 0) {}

  /// A unit from one line to another, both included.
  void add_unit(std::size_t first_line, std::size_t last_line) {
    if (first_line >= last_line || last_line >= penalty_.size()) return;
    ++change_[first_line + 1];
    --change_[last_line + 1];
  }
  void add_comment(std::size_t last_line) {
    if (last_line + 1 < penalty_.size()) penalty_[last_line + 1] = 2;
  }
  /// By line. Without units indentation stands for nesting.
  std::vector<std::uint32_t> finish(std::string_view text,
                                    const std::vector<std::uint32_t>& lines,
                                    bool has_units) const;

 private:
  std::vector<std::int32_t> change_;  // of the nesting depth
  std::vector<std::uint8_t> penalty_;
};

/// Whole lines, in order, disjoint, at most `max_bytes` each; cut where it costs least. Lines
/// longer than that and chunks of white space are left out.
std::vector<ByteRange> cut_chunks(std::string_view text,
                                  const std::vector<std::uint32_t>& lines,
                                  const std::vector<std::uint32_t>& costs,
                                  std::size_t max_bytes);

}  // namespace kinglet::indexer
