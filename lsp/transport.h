// Bytes ↔ message bodies: the base protocol's framing ("Content-Length: N", a blank line, N bytes).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace kinglet::lsp {

inline constexpr std::size_t kMaxHeaderBytes = std::size_t{8} << 10;
inline constexpr std::size_t kMaxBodyBytes = std::size_t{64} << 20;

/// A message body (JSON text, unparsed), or why bytes were dropped.
using Frame = Result<std::string>;

/// A push parser for frames; takes bytes in pieces of any size.
///
/// A bad header costs one error and the bytes up to the next header. "Content-Length: N" at a
/// line's end cannot occur raw inside JSON (a string would hold its line break escaped), so a
/// header is recognized even where it does not belong: behind junk, after a body that is too large,
/// or inside the bytes of a body that came shorter than announced; the session goes on there.
/// Memory follows the bytes that came, not the length a header claims.
class FrameReader {
 public:
  /// The frames that `bytes` completed, in order. Errors: kCorrupt.
  std::vector<Frame> feed(std::string_view bytes);

  /// The input ended. An error if it ended inside a message.
  std::optional<Error> finish() const;

 private:
  enum class State { kHeader, kBody, kResync };

  bool step(std::vector<Frame>& frames);
  bool step_header(std::vector<Frame>& frames);
  bool step_body(std::vector<Frame>& frames);
  bool step_resync();
  void give_up(std::vector<Frame>& frames, std::string why);

  std::string_view rest() const { return std::string_view(pending_).substr(begin_); }

  State state_ = State::kHeader;
  std::string pending_;
  std::size_t begin_ = 0;       // pending_ before this is consumed
  std::size_t scanned_ = 0;     // rest() before this is searched for a header
  std::size_t body_bytes_ = 0;  // in kBody: what the header said
};

/// `body` with its header, ready to be written.
std::string write_frame(std::string_view body);

}  // namespace kinglet::lsp
