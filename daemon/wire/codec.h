// Messages ↔ bodies of frames. A message is a struct with one list of its fields:
//
//   struct Token {
//     std::int32_t id = 0;
//     std::string bytes;
//     static constexpr auto fields() { return std::tuple(&Token::id, &Token::bytes); }
//   };
//
// Numbers are little endian; a string or vector is its length (u32) and its elements; an optional
// is one byte (0 or 1) and its value; an enumeration is its number, at most last_value(E{}).
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/wire/frame.h"

namespace kinglet::daemon::wire {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");

template <class T>
concept HasFields = requires {
  T::fields();
};

class BodyWriter {
 public:
  std::string take() { return std::move(bytes_); }

  template <class T>
  requires std::is_arithmetic_v<T>
  void write(T number) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &number, sizeof(T));
  }
  template <class E>
  requires std::is_enum_v<E>
  void write(E enumerator) { write(static_cast<std::underlying_type_t<E>>(enumerator)); }
  void write(const std::string& text) {
    write(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  void write(const std::vector<T>& elements) {
    write(static_cast<std::uint32_t>(elements.size()));
    for (const auto& element : elements)
      write(element);
  }
  template <class T>
  void write(const std::optional<T>& value) {
    write(static_cast<std::uint8_t>(value.has_value()));
    if (value) write(*value);
  }
  template <HasFields T>
  void write(const T& message) {
    std::apply([&](auto... field) { (write(message.*field), ...); }, T::fields());
  }

 private:
  std::string bytes_;
};

/// Reads what a BodyWriter wrote, and survives what anybody else did: every read checks the bytes
/// left, and a vector's length is believed only as far as bytes for its elements are there.
class BodyReader {
 public:
  explicit BodyReader(std::string_view bytes) : rest_(bytes) {}

  /// Whether everything was read, well, and nothing is left.
  bool finished() const { return good_ && rest_.empty(); }
  std::size_t bytes_left() const { return rest_.size(); }

  template <class T>
  requires std::is_arithmetic_v<T>
  void read(T& number) {
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      read(byte);
      if (byte > 1) good_ = false;
      number = byte == 1;
    } else {
      const std::string_view bytes = take(sizeof(T));
      if (good_) std::memcpy(&number, bytes.data(), sizeof(T));
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void read(E& enumerator) {
    std::underlying_type_t<E> number = 0;
    read(number);
    if (number > static_cast<std::underlying_type_t<E>>(last_value(E{}))) good_ = false;
    if (good_) enumerator = static_cast<E>(number);
  }
  void read(std::string& text) {
    std::uint32_t length = 0;
    read(length);
    text = take(length);
  }
  template <class T>
  void read(std::vector<T>& elements) {
    std::uint32_t count = 0;
    read(count);
    // Every element takes a byte at least, so a hostile count costs no more than what was sent.
    if (count > rest_.size()) good_ = false;
    elements.clear();
    for (std::uint32_t i = 0; good_ && i < count; ++i)
      read(elements.emplace_back());
  }
  template <class T>
  void read(std::optional<T>& value) {
    bool present = false;
    read(present);
    value.reset();
    if (good_ && present) read(value.emplace());
  }
  template <HasFields T>
  void read(T& message) {
    std::apply([&](auto... field) { (read(message.*field), ...); }, T::fields());
  }

 private:
  std::string_view take(std::size_t n) {
    if (!good_ || n > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

/// The frame of a message, ready to be sent.
/// Errors: kInvalidArgument when it is longer than a frame may be.
template <HasFields M>
Result<std::string> encode(std::uint64_t request, const M& message) {
  BodyWriter writer;
  writer.write(message);
  Frame frame{.type = M::kType, .request = request, .body = writer.take()};
  if (frame.body.size() > kMaxBodyBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "A message of " + std::to_string(frame.body.size()) +
                    " bytes is longer than processes may send each other.");
  }
  return encode_frame(frame);
}

/// The message in a frame.
/// Errors: kCorrupt when the body is not exactly one message of this type.
template <HasFields M>
Result<M> decode(const Frame& frame) {
  M message;
  BodyReader reader(frame.body);
  if (frame.type == M::kType) reader.read(message);
  if (frame.type != M::kType || !reader.finished()) {
    return fail(ErrorCode::kCorrupt,
                "A worker sent a message of type " +
                    std::to_string(static_cast<unsigned>(frame.type)) +
                    " that is not well formed (" + std::to_string(frame.body.size()) + " bytes, " +
                    std::to_string(reader.bytes_left()) + " not understood).");
  }
  return message;
}

}  // namespace kinglet::daemon::wire
