// What a pack takes from the repository, before the budget decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/neighborhood.h"
#include "indexer/index.h"

namespace kinglet::indexer {

struct SimilarCandidate {
  ChunkHit hit;
  std::string text;  // of the chunk, as in the file
  std::uint32_t first_line = 0;
  std::string detail;     // the names shared with the neighborhood
  bool is_close = false;  // worth packing; else only a sign of what such code uses
};

struct SimilarRequest {
  std::string path;         // the current file, and what is left of it without the window
  std::string_view before;  // its text before the line
  ByteRange window;         // of the current file: chunks that overlap it are dropped
  std::function<std::optional<std::string>(const std::string& path)> read_text;
  std::size_t limit = 128;
};

/// Chunks that share names with the neighborhood, best first, verified against the texts; close
/// ones without near-duplicates. `n_dropped` counts the others.
std::vector<SimilarCandidate> similar_candidates(const Snapshot& index,
                                                 const std::vector<NearName>& names,
                                                 const SimilarRequest& request,
                                                 std::size_t& n_dropped);

/// A definition that the code to be written may well name.
struct SignatureCandidate {
  Symbol symbol;
  float chance = 0;       // that it is named next, by what speaks for it
  bool is_shown = false;  // the lines around the cursor name it
};

struct SignatureRequest {
  std::string path;
  std::string_view before;  // the current file's text before the line
  std::string_view after;
  /// Where the part of it begins that the prompt shows anyway: definitions above are candidates.
  std::size_t window_begin = 0;
  std::span<const SimilarCandidate> similar;
  std::size_t limit = 512;  // candidates whose names are not shown
};

/// The likeliest first; ties by place. A declaration and its definition are one candidate.
std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::vector<NearName>& names,
                                                     const SignatureRequest& request);

}  // namespace kinglet::indexer
