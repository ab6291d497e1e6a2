// Synthetic models too large to be made in memory: written to disk tensor by tensor.
#pragma once

#include <filesystem>
#include <optional>

#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

struct StreamedGguf {
  SyntheticModel model;
  /// A GGUF file whose vocabulary this one gets instead of an invented one. The model's `vocab`
  /// must be at least its number of tokens; 0 means just that many.
  std::optional<std::filesystem::path> vocabulary_from = std::nullopt;
  /// Tensors of more elements than this are random in their first rows alone; each further row is
  /// one of these, begun at another block. All elements stay normally distributed, and a file takes
  /// seconds instead of minutes. By default only models above a quarter of a billion weights are
  /// so.
  std::optional<std::uint64_t> n_random_elements = std::nullopt;
  /// A file with all of a model but its random numbers: zeros, which take no room on the disk.
  bool hollow = false;
};

/// Bytes written. Throws std::runtime_error when that fails, std::invalid_argument for an
/// impossible model. The same model gives the same bytes on every machine; up to the quarter of a
/// billion they are those of synthetic_gguf().
std::uint64_t stream_gguf(const StreamedGguf& gguf, const std::filesystem::path& path);

}  // namespace kinglet::test
