// What of the repository goes into a prompt, under a strict budget of tokens.
//
// A prompt is a log: it is laid out from what changes least to what changes most, and while someone
// types it only grows at its end. So the pack is made for a *line*, not for a cursor. Prefix and
// suffix are cut at the start of the cursor's line and at the start of the next one; neither they
// nor the chunks depend on what stands on the line itself. Only `typed` does, and it comes last.
// The same index and the same text around the line give the same bytes before `typed`.
//
// The cut stays where it was made, over as many lines as are typed there: all that was typed since
// comes after it, and a deletion takes it back from the end. What follows the cursor in what was
// typed can't be told without moving the suffix, so it is left out, which is right for what editors
// close by themselves and for nothing else: where it is more, a new layout is due. One is due, too,
// when the room that was kept for typing is full. Whoever packs makes one before, while nobody
// waits for it.
//
// What goes in, nearest to the cursor counting most:
//   1. signatures of what is defined elsewhere: first of the names that the shown lines have, then
//      of those that the line is likely to need (signatures.cpp),
//   2. similar code: lines that may be repeated, of chunks that share the neighborhood's names
//      (passages.cpp); no noise, nothing twice, nothing that the window shows anyway,
//   3. the current file around the line.
// In the prompt the best of each group stands last, next to the code it explains.
//
// Secrets are masked as the whole text shows them. So the line has one effect on what is around it:
// the value below `password =` is masked.
//
// The packer knows no model. Tokens are counted through a function; texts come through another, and
// a chunk is taken only if its hash is still the one that was indexed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"
#include "indexer/context/recency.h"
#include "indexer/index.h"

namespace kinglet::indexer {

class ChangeHistory;

/// How the budget is divided, of what is left after fixed costs. What one group does not need goes
/// to the others.
struct PackShares {
  double file = 0.4;             // the current file; the rest goes to chunks
  double signatures = 0.67;      // of the chunks' part; the rest goes to similar code
  double shown = 0.35;           // … of names that the lines around the cursor have
  double prefix_of_file = 0.75;  // prefix : suffix = 3 : 1 of the file's part; 1: no suffix at all
};

/// Tokens that the prompt format adds around what is packed.
struct PackOverhead {
  std::size_t fixed = 0;      // once: repository header, markers of prefix, suffix, middle, path
  std::size_t per_chunk = 0;  // for each chunk, besides its header's own tokens
};

/// What goes in besides the file.
enum class PackMethod : std::uint8_t {
  kKinglet,
  kBm25,  // whole similar chunks, the best first, as others do it: for comparison
};

struct PackRequest {
  std::string path;       // relative to the root, as indexed
  std::string_view text;  // the document as the editor has it; outlives the call
  ByteOffset cursor{0};   // past the end means the end; inside a character means its start
  std::size_t budget_tokens = 0;
  PackOverhead overhead;
  /// Kept free for what is typed, so that the layout need not change while it grows. Of small
  /// budgets no more than a quarter.
  std::size_t typed_reserve_tokens = 128;
  PackShares shares;
  PackMethod method = PackMethod::kKinglet;
  /// Limits besides the budget: lines of the current file, tokens of chunks.
  std::size_t max_lines_before = SIZE_MAX;
  std::size_t max_lines_after = SIZE_MAX;
  std::size_t max_chunk_tokens = SIZE_MAX;
  /// Tokens of a text that is encoded alone, as every segment is. Called often with small texts,
  /// by several threads at once.
  std::function<std::size_t(std::string_view)> count_tokens;
  /// The same of the file's prefix, where the format writes that in more than one segment; empty:
  /// count_tokens.
  std::function<std::size_t(std::string_view)> count_prefix_tokens = {};
  /// The bytes of an indexed file, or nothing; an unsaved buffer where there is one.
  std::function<std::optional<std::string>(const std::string& path)> read_text;
  const ChangeHistory* history = nullptr;  // what changed together; may be missing
  /// Where someone was lately, the newest first. What the window shows does not count, so that
  /// typing there changes nothing.
  std::vector<RecentPlace> recent = {};
};

enum class PackReason : std::uint8_t {
  kSignature,  // of a name the neighborhood uses
  kSimilar,    // shares names with the neighborhood
};
std::string_view name_of(PackReason reason);

/// One segment of the prompt besides the current file: `header` + `text`.
struct PackedChunk {
  std::string path;
  ByteRange range;  // kSimilar: of the file; kSignature: from the first to the last definition
  std::uint32_t first_line = 0;  // 1-based, kSimilar only
  std::string header;            // "path\n"; a segment of its own
  std::string text;              // ends with a line end; secrets masked
  PackReason reason = PackReason::kSignature;
  /// kSignature: the names it defines, likeliest first; kSimilar: those it shares, nearest first.
  std::string detail;
  float score = 0;           // comparable within one reason
  std::size_t n_tokens = 0;  // header, text and per-chunk overhead
};

/// In prompt order: chunks, prefix, suffix, typed. Each string is one segment, encoded alone.
struct Pack {
  std::vector<PackedChunk> chunks;
  std::string prefix;         // whole lines, up to the start of the cursor's line
  std::string suffix;         // whole lines, from the next line on
  std::string typed;          // from the start of that line to the cursor
  std::uint32_t cut = 0;      // offset in the text where `typed` begins
  std::uint32_t n_after = 0;  // bytes of the text from the next line on
  ContentHash surroundings;   // of path, limits, and the text around: what retype() checks
  bool typed_cut = false;     // one line that did not fit: `typed` is its end
  std::size_t n_tokens_chunks = 0;
  std::size_t n_tokens_prefix = 0;
  std::size_t n_tokens_suffix = 0;
  std::size_t n_tokens_typed = 0;
  std::size_t n_tokens = 0;   // all, overhead included; never over the budget
  std::size_t n_dropped = 0;  // candidates below the threshold, duplicate, stale or over budget
};

/// kInvalidArgument when the budget is below the fixed overhead or a function is missing;
/// kCancelled. An empty index gives a pack of the current file alone.
Result<Pack> pack(const Snapshot& index,
                  const PackRequest& request,
                  const std::stop_token& stop = {});

/// The same layout for a later state of what is typed at its cut: only `typed` and its counts
/// differ. Nothing when the layout does not hold any more, and pack() must make another: the path,
/// the budget or the text around what is typed changed, the cursor left it or stands before more
/// than closing brackets, or it is too long. Costs one hash of the text.
std::optional<Pack> retype(const Pack& previous, const PackRequest& request);

}  // namespace kinglet::indexer
