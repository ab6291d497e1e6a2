// Writes what was chosen of the repository into chunks of a pack, never a token over.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/context/candidates.h"
#include "indexer/context/packer.h"

namespace kinglet::indexer {

/// Adds chunks to a pack; header and overhead count. Each call tells what its chunks cost, in
/// tokens: at most its budget.
class ChunkPacker {
 public:
  /// All outlive it.
  ChunkPacker(const Snapshot& index, const PackRequest& request, Pack& pack)
      : index_(index), request_(request), pack_(pack) {}

  /// One chunk a file. Names that are shown go first, of a budget of their own within the whole.
  ///
  /// Tokens do not add: signatures are chosen by what each costs alone, then the chunks are written
  /// and counted as they are, and the least ones go until all fit.
  std::size_t add_signatures(const std::vector<SignatureCandidate>& candidates,
                             std::size_t shown_budget,
                             std::size_t budget);
  /// The best lines of similar code, one chunk a file; after the signatures, which they spare.
  std::size_t add_similar(std::span<const NearName> names,
                          PassageChooser& chooser,
                          std::size_t budget);
  /// Similar code in whole chunks, as long as they fit.
  std::size_t add_chunks(const std::vector<SimilarCandidate>& candidates, std::size_t budget);

 private:
  std::vector<const SignatureCandidate*> choose_signatures(
      const std::vector<SignatureCandidate>& candidates,
      std::size_t shown_budget,
      std::size_t budget);
  // What was chosen of one file, best first, and the chunk that it makes.
  template <class Part>
  struct OfFile {
    std::vector<const Part*> parts;
    PackedChunk chunk;
    std::map<const SimilarCandidate*, std::vector<ByteRange>> secrets;  // of passages' texts
  };
  template <class Part>
  using ByPath = std::map<std::string_view, OfFile<Part>>;
  template <class Part>
  void write_all(ByPath<Part>& files) const;
  void write(OfFile<SignatureCandidate>& file) const;
  void write(OfFile<Passage>& file) const;
  void finish(PackedChunk& chunk) const;
  void append(std::vector<PackedChunk> chunks);

  const Snapshot& index_;
  const PackRequest& request_;
  Pack& pack_;
  double bytes_per_token_ =
      PassageChooser::kBytesPerToken;  // a guess, better once signatures were counted
};

}  // namespace kinglet::indexer
