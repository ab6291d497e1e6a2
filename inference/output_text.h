// From chosen tokens to text that may be given out. Stop strings are found wherever tokens part
// them; what may still become one is held back, so that nothing of a stop string is ever seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// Text ends before the first place where one of these is complete. One per generation.
class OutputText {
 public:
  static constexpr std::size_t kMaxStops = 64;
  static constexpr std::size_t kMaxStopBytes = 1024;

  /// The first `n_skipped` bytes are nobody's to see: the prompt has them already. They take no
  /// part in stop strings. Errors: kInvalidArgument for an empty stop string, one that is too long,
  /// too many of them.
  static Result<OutputText> create(std::vector<std::string> stops, std::size_t n_skipped = 0);

  /// The next token and its bytes. Whether a stop string is complete now: no more may be added.
  bool add(TokenId token, std::string_view bytes);
  /// No more will come: nothing needs to be held back.
  void finish();

  struct Piece {
    TokenId token;
    std::string bytes;  ///< what of the token may be seen; less than its text at either end
  };
  /// The next token that can be given out, oldest first; false when there is none (yet). Tokens of
  /// which a stop string leaves nothing never come.
  bool next(Piece& piece);

 private:
  explicit OutputText(std::vector<std::string> stops, std::size_t n_skipped)
      : stops_(std::move(stops)), n_to_skip_(n_skipped) {}

  struct Held {
    TokenId token;
    std::size_t n_bytes;
  };

  std::vector<std::string> stops_;
  std::size_t n_to_skip_;
  std::string text_;  // of the tokens in held_
  std::deque<Held> held_;
  std::size_t n_sure_ = 0;  // bytes of text_ that may be given out
  bool stopped_ = false;
};

}  // namespace kinglet::inference
