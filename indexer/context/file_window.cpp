#include "indexer/context/file_window.h"

#include <algorithm>

namespace kinglet::indexer {
namespace {

// More bytes than a token has: nothing larger is worth counting.
constexpr std::size_t kMaxBytesPerToken = 64;
constexpr double kFirstGuess = 3.2;  // bytes per token of code
constexpr int kMaxGuesses = 8;

// `cut(n)` is the largest size ≤ n at which the text may be cut; `piece(n)` that part of it.
Fit fit(std::size_t size,
        std::size_t budget,
        const CountTokens& count_tokens,
        const auto& cut,
        const auto& piece) {
  if (size == 0) return {0, 0, true};
  if (budget == 0) return {};
  const std::size_t ceiling = cut(std::min(size, budget * kMaxBytesPerToken));
  Fit best;
  std::size_t too_much = ceiling + 1;  // the smallest size known not to fit
  double bytes_per_token = kFirstGuess;
  for (int guess = 0; guess < kMaxGuesses; ++guess) {
    auto wanted = static_cast<std::size_t>(static_cast<double>(budget) * bytes_per_token);
    std::size_t n_bytes = cut(std::min(wanted, too_much - 1));
    // No new ground: try between what fits and what does not.
    if (n_bytes <= best.n_bytes) n_bytes = cut(best.n_bytes + (too_much - best.n_bytes) / 2);
    if (n_bytes <= best.n_bytes || n_bytes >= too_much) break;
    const std::size_t n_tokens = count_tokens(piece(n_bytes));
    if (n_tokens <= budget) {
      best = {n_bytes, n_tokens, n_bytes == size};
      if (best.is_whole || n_bytes == ceiling) break;
      if (n_tokens * 50 >= budget * 49) break;  // within two percent
    } else {
      too_much = n_bytes;
    }
    // Aim a little low: an overshoot costs a count.
    bytes_per_token = 0.995 * static_cast<double>(n_bytes) /
                      static_cast<double>(std::max<std::size_t>(n_tokens, 1));
  }
  return best;
}

}  // namespace

Fit fit_last_lines(std::string_view text, std::size_t budget, const CountTokens& count_tokens) {
  const auto piece = [&](std::size_t n) { return text.substr(text.size() - n); };
  const auto cut = [&](std::size_t n) -> std::size_t {
    if (n >= text.size()) return text.size();
    // A line begins after a line feed that is not among the last n bytes, or is the first of them.
    const std::size_t line_feed = text.find('\n', text.size() - n - 1);
    return line_feed == std::string_view::npos ? 0 : text.size() - line_feed - 1;
  };
  return fit(text.size(), budget, count_tokens, cut, piece);
}

Fit fit_first_lines(std::string_view text, std::size_t budget, const CountTokens& count_tokens) {
  const auto piece = [&](std::size_t n) { return text.substr(0, n); };
  const auto cut = [&](std::size_t n) -> std::size_t {
    if (n >= text.size()) return text.size();
    const std::size_t line_feed = n == 0 ? std::string_view::npos : text.rfind('\n', n - 1);
    return line_feed == std::string_view::npos ? 0 : line_feed + 1;
  };
  return fit(text.size(), budget, count_tokens, cut, piece);
}

Fit fit_last_characters(std::string_view text,
                        std::size_t budget,
                        const CountTokens& count_tokens) {
  const auto piece = [&](std::size_t n) { return text.substr(text.size() - n); };
  const auto cut = [&](std::size_t n) -> std::size_t {
    if (n >= text.size()) return text.size();
    while (n > 0 && (static_cast<unsigned char>(text[text.size() - n]) & 0xC0) == 0x80)
      --n;
    return n;
  };
  return fit(text.size(), budget, count_tokens, cut, piece);
}

}  // namespace kinglet::indexer
