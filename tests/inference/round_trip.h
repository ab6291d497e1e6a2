// Real source text to tokens and back, byte for byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/tokenizer/tokenizer.h"

namespace kinglet::test {

/// Source files (by their names' ends) beneath folders, no links followed, of at most 1 MiB each:
/// as many as make up `n_bytes`, chosen by a seed among all there are, in an order that depends on
/// their paths and the seed alone. All of them when they are fewer.
std::vector<std::filesystem::path> source_files(const std::vector<std::filesystem::path>& folders,
                                                std::uint64_t n_bytes,
                                                std::uint64_t seed);

struct RoundTripFigures {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t not_utf8 = 0;  // files with bytes that are no UTF-8
  std::uint64_t control_tokens = 0;
  std::vector<std::string> changed;  // files that did not come back
  /// Files whose tokens are not those of their lines, where splits_at_lines() promises it.
  std::vector<std::string> other_by_lines;
};

/// Encodes and decodes each file by itself, and once more line by line.
RoundTripFigures round_trip(const inference::Tokenizer& tokenizer,
                            const std::vector<std::filesystem::path>& files);

/// Whether the tokens of a text are those of its line segments.
bool is_same_by_lines(const inference::Tokenizer& tokenizer, std::string_view text);

/// The vocabularies at hand with their names: the starter model's, and the published ones of the
/// shared material where it is there.
std::vector<std::pair<std::string, inference::Tokenizer>> real_tokenizers();

}  // namespace kinglet::test
