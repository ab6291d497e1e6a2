// The two kinds of chunks that a pack takes from the repository, before the budget decides.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/neighborhood.h"
#include "indexer/index.h"

namespace kinglet::indexer {

/// A definition that the neighborhood names, or a member of a type that it names.
struct SignatureCandidate {
  Symbol symbol;
  std::string near_name;  // the name it is there for
  float score = 0;
};

/// Best first; ties by place. Of the current file, `path`, only what its text `far_above` holds:
/// the part so far above the line that no window reaches it.
std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::string& path,
                                                     std::string_view far_above,
                                                     const std::vector<NearName>& names);

struct SimilarCandidate {
  ChunkHit hit;
  std::string text;  // of the chunk, as in the file
  std::uint32_t first_line = 0;
  std::string detail;  // the names shared with the neighborhood
};

struct SimilarRequest {
  std::string path;         // the current file, and what is left of it without the window
  std::string_view before;  // its text before the line
  std::string_view after;
  ByteRange window;  // of the current file: chunks that overlap it are dropped
  std::function<std::optional<std::string>(const std::string& path)> read_text;
  std::size_t limit = 64;
};

/// Chunks above the noise, best first, verified against the texts and without near-duplicates.
/// `n_dropped` counts the others.
std::vector<SimilarCandidate> similar_candidates(const Snapshot& index,
                                                 const std::vector<NearName>& names,
                                                 const SimilarRequest& request,
                                                 std::size_t& n_dropped);

}  // namespace kinglet::indexer
