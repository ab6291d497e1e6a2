// What the halves of the GGUF reader share: the format's types, and how names from a file are
// shown.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "inference/gguf.h"

namespace kinglet::inference {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

/// Bytes of one value of a fixed-size type; 0 for strings, arrays and unknown types.
std::uint64_t scalar_bytes(GgufType type);

/// "u32", "string"; "unknown" for a number that is no type.
const char* type_name(GgufType type);

/// Names of types people meet in downloaded files, for the error that refuses one of them.
std::string tensor_type_name(std::uint32_t type);

/// A name from the file in quotes, fit for a terminal: nothing but printable ASCII, not long.
std::string quoted(std::string_view name);

/// A text from the file for people to read: no control characters, not long, other languages kept.
std::string printable(std::string_view text);

/// REQUIRES sizeof(T) bytes at `from`; they need no alignment.
template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace kinglet::inference
