// Frames between our own processes. A frame is a header and a body; all numbers are little endian.
//
//   offset  size  field
//        0     4  magic "KNGL"
//        4     2  version of the messages (kWireVersion)
//        6     2  type (MessageType, wire/messages.h)
//        8     8  request: the number the broker gave the request that this belongs to
//       16     4  length of the body in bytes, at most kMaxBodyBytes
//       20        body
//
// Both ends are the same program, but a worker has read hostile files and may be anyone's by now:
// whatever it sends is checked here and in wire/codec.h before the broker believes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace kinglet::daemon::wire {

/// Changes whenever a message's fields change. Two processes of different versions never talk: an
/// installation may replace the program while a daemon of the old one runs.
inline constexpr std::uint16_t kWireVersion = 6;
inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::size_t kMaxBodyBytes = std::size_t{64} << 20;

enum class MessageType : std::uint16_t;

struct Frame {
  MessageType type{};
  std::uint64_t request = 0;
  std::string body;
};

/// The bytes of a frame. REQUIRES: the body is within kMaxBodyBytes.
std::string encode_frame(const Frame& frame);

/// Turns a stream of bytes into frames. After an error the stream has no known frame border any
/// more: every further call returns the same error, and the other process is to be ended.
class FrameReader {
 public:
  /// Appends what arrived. Memory grows with the bytes that came, never with a length that a header
  /// only claims.
  void feed(std::string_view bytes);

  /// The next whole frame; std::nullopt until enough bytes came.
  /// Errors: kCorrupt (no frame of ours, or too long), kUnsupported (another version).
  Result<std::optional<Frame>> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;  // of the first byte not consumed
  std::optional<Error> error_;
};

}  // namespace kinglet::daemon::wire
