#include "daemon/wire/channel.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

namespace kinglet::daemon::wire {

Result<std::optional<Frame>> Channel::receive() {
  std::array<char, 64 << 10> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    auto frame = TRY(reader_.next());
    if (frame) return frame;
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (n == 0) return std::nullopt;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ECONNRESET) return std::nullopt;
    if (n < 0) {
      return fail(ErrorCode::kIo,
                  "Cannot read from the daemon: " + std::generic_category().message(errno));
    }
    reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
  }
}

Result<void> Channel::send_bytes(std::string_view bytes) {
  const std::scoped_lock lock(send_mutex_);
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return fail(ErrorCode::kUnavailable,
                  "The daemon is gone: " + std::generic_category().message(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace kinglet::daemon::wire
