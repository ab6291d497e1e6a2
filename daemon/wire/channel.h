// A worker's end of its socket to the broker: plain blocking reads and writes.
#pragma once

#include <mutex>
#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/wire/codec.h"
#include "daemon/wire/frame.h"

namespace kinglet::daemon::wire {

/// One thread receives; any thread sends.
class Channel {
 public:
  explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}

  /// Waits for the next frame; std::nullopt when the other end is closed.
  Result<std::optional<Frame>> receive();

  /// Sends a message under a request's number. Errors: kUnavailable when the other end is gone,
  /// kInvalidArgument when the message is too long (nothing is sent then).
  template <HasFields M>
  Result<void> send(std::uint64_t request, const M& message) {
    return send_bytes(TRY(encode(request, message)));
  }

 private:
  Result<void> send_bytes(std::string_view bytes);

  UniqueFd socket_;
  FrameReader reader_;
  std::mutex send_mutex_;
};

}  // namespace kinglet::daemon::wire
