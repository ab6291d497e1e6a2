// What a pack takes from the repository, before the budget decides.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/neighborhood.h"
#include "indexer/context/recency.h"
#include "indexer/history.h"
#include "indexer/index.h"

namespace kinglet::indexer {

struct SimilarCandidate {
  ChunkHit hit;      // its range as the file is now
  std::string text;  // of the chunk, as in the file
  std::uint32_t first_line = 0;
};

struct SimilarRequest {
  std::string path;       // the current file
  std::string_view text;  // … as it is now
  ByteRange window;       // of it: what the prompt shows anyway; chunks that overlap it are dropped
  std::function<std::optional<std::string>(const std::string& path)> read_text;
  const Recency* recency = nullptr;        // may be missing
  std::span<const std::string> enclosing;  // a chunk that has one of these need share no more
  std::size_t limit = 128;
};

/// Chunks that share names with the neighborhood, best first, verified against the texts.
/// `n_dropped` counts the others.
std::vector<SimilarCandidate> similar_candidates(const Snapshot& index,
                                                 const std::vector<NearName>& names,
                                                 const SimilarRequest& request,
                                                 std::size_t& n_dropped);

/// A few lines of similar code.
struct Passage {
  const SimilarCandidate* similar = nullptr;
  ByteRange range;               // of its text: whole lines
  std::uint32_t first_line = 0;  // 1-based, of the file
  float worth = 0;               // what it is likely to be good for, a token
};

/// Finds the lines of similar code that are worth their tokens. To read the code takes most of the
/// time, and needs nothing of what else is packed.
class PassageChooser {
 public:
  /// Reads about so many tokens of `similar`, best first; a token is taken for `kBytesPerToken`.
  /// Both outlive the passages.
  PassageChooser(std::span<const NearName> names,
                 std::span<const SimilarCandidate> similar,
                 std::size_t max_tokens);
  PassageChooser(PassageChooser&& other) noexcept;
  PassageChooser& operator=(PassageChooser&& other) noexcept;
  ~PassageChooser();

  struct Request {
    std::span<const std::string_view> packed;  // texts that the prompt has already
    std::size_t budget_tokens = 0;
    float bytes_per_token = kBytesPerToken;  // a guess is enough
    std::size_t tokens_per_file = 0;         // for each new one, besides its path
  };
  /// The passages that are worth most for what they cost, best first, within the budget by its
  /// guess. Once.
  std::vector<Passage> choose(const Request& request);

  static constexpr float kBytesPerToken = 3;

 private:
  class Reading;
  std::unique_ptr<Reading> reading_;
};

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
  std::size_t limit = 512;                 // candidates whose names are not shown
  std::size_t related_files = 20;          // whose definitions all are candidates
  const ChangeHistory* history = nullptr;  // may be missing
  const Recency* recency = nullptr;        // may be missing
  /// Sees every candidate with what speaks for it, in the order of signs.h, and whether its
  /// name is shown. For who fits the weights.
  std::function<void(const SymbolView&, std::span<const float> signs, bool is_shown)> observe = {};
};

/// The likeliest first; ties by place. A declaration and its definition are one candidate.
std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::vector<NearName>& names,
                                                     const SignatureRequest& request);

/// Logarithms of one machine differ from another's in the last bit, which must not decide.
inline float in_steps(float number) {
  constexpr float kSteps = 1024;
  return std::round(number * kSteps) / kSteps;
}

}  // namespace kinglet::indexer
