#include "daemon/wire/frame.h"

#include <cassert>

namespace kinglet::daemon::wire {

namespace {

constexpr std::uint32_t kMagic = 0x4c474e4b;  // "KNGL" as little-endian bytes

template <class T>
void put(std::string& out, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<char>(number >> (8 * i)));
  }
}

template <class T>
T get(std::string_view bytes, std::size_t offset) {
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    number = static_cast<T>(number | static_cast<T>(static_cast<unsigned char>(bytes[offset + i]))
                                         << (8 * i));
  }
  return number;
}

Result<std::size_t> check_header(std::string_view header) {
  if (get<std::uint32_t>(header, 0) != kMagic) {
    return fail(ErrorCode::kCorrupt, "A worker sent bytes that are no message.");
  }
  const auto version = get<std::uint16_t>(header, 4);
  if (version != kWireVersion) {
    return fail(ErrorCode::kUnsupported,
                "A worker speaks version " + std::to_string(version) + ", this program version " +
                    std::to_string(kWireVersion) +
                    ". Kinglet was replaced while it ran; restart it with `kinglet stop`.");
  }
  const auto length = get<std::uint32_t>(header, 16);
  if (length > kMaxBodyBytes) {
    return fail(ErrorCode::kCorrupt,
                "A worker announced a message of " + std::to_string(length) + " bytes; at most " +
                    std::to_string(kMaxBodyBytes) + " are allowed.");
  }
  return length;
}

}  // namespace

std::string encode_frame(const Frame& frame) {
  assert(frame.body.size() <= kMaxBodyBytes);
  std::string out;
  out.reserve(kHeaderBytes + frame.body.size());
  put(out, kMagic);
  put(out, kWireVersion);
  put(out, static_cast<std::uint16_t>(frame.type));
  put(out, frame.request);
  put(out, static_cast<std::uint32_t>(frame.body.size()));
  out += frame.body;
  return out;
}

void FrameReader::feed(std::string_view bytes) {
  if (error_) return;
  if (begin_ > 0 && begin_ >= buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_ += bytes;
}

Result<std::optional<Frame>> FrameReader::next() {
  if (error_) return tl::unexpected(*error_);
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  if (rest.size() < kHeaderBytes) return std::nullopt;
  const auto length = check_header(rest);
  if (!length) {
    error_ = length.error();
    buffer_ = {};
    begin_ = 0;
    return tl::unexpected(*error_);
  }
  if (rest.size() - kHeaderBytes < *length) return std::nullopt;
  Frame frame{.type = static_cast<MessageType>(get<std::uint16_t>(rest, 6)),
              .request = get<std::uint64_t>(rest, 8),
              .body = std::string(rest.substr(kHeaderBytes, *length))};
  begin_ += kHeaderBytes + *length;
  return frame;
}

}  // namespace kinglet::daemon::wire
