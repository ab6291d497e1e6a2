// Pieces of a file that can be hidden, to see whether they can be written again from the rest: what
// `kinglet eval` asks a model, and what the benchmark of packing measures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/index.h"
#include "indexer/language.h"

namespace kinglet::indexer {

enum class HoleKind : std::uint8_t {
  kLine,      // a line of 20 to 160 bytes, without what it is indented by
  kBlock,     // a syntactic unit of 3 to 12 whole lines
  kCall,      // a call with arguments, on one line
  kFirstUse,  // the line where a file first uses something that another one defines
  kCommit,    // what a commit adds; found in a history, not here
};
inline constexpr int kHoleKinds = 5;
/// "line", "block", "call", "first use", "commit".
std::string_view name_of(HoleKind kind);

struct Hole {
  std::string path;
  HoleKind kind = HoleKind::kLine;
  ByteRange range;  // of the file's text
};

/// What a reader sees around a hole, whatever else is packed: so many lines of the file.
inline constexpr std::size_t kVisibleLinesBefore = 200;
inline constexpr std::size_t kVisibleLinesAfter = 60;

/// All holes of a file but those of commits, by kind and place; none of the same kind overlap.
/// Comments, imports and files of data have none. `index` knows the file and its repository.
std::vector<Hole> find_holes(const Snapshot& index,
                             const std::string& path,
                             const Language& language,
                             std::string_view text);

/// The text without the hole, and the places in it that the visible lines begin and end at.
struct HiddenText {
  std::string text;
  ByteRange visible;
};
HiddenText hide(std::string_view text, ByteRange hole);

}  // namespace kinglet::indexer
