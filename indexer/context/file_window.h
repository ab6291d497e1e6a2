// How much of a file around a line fits a number of tokens.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace kinglet::indexer {

using CountTokens = std::function<std::size_t(std::string_view)>;

struct Fit {
  std::size_t n_bytes = 0;
  std::size_t n_tokens = 0;  // exactly what count_tokens says of them
  bool is_whole = false;     // all of the text
};

/// The last whole lines of `text` (which ends with a line end or is empty) of at most `budget`
/// tokens. Counting is not additive, so a few guesses are counted, and the best that fits is taken:
/// within a few percent of the most, never over.
Fit fit_last_lines(std::string_view text, std::size_t budget, const CountTokens& count_tokens);

/// The first whole lines, likewise.
Fit fit_first_lines(std::string_view text, std::size_t budget, const CountTokens& count_tokens);

/// The last whole characters of a line.
Fit fit_last_characters(std::string_view text, std::size_t budget, const CountTokens& count_tokens);

}  // namespace kinglet::indexer
