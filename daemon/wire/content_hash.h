// Content hashes as messages carry them: 16 bytes.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "indexer/record.h"

namespace kinglet::daemon::wire {

inline std::string bytes_of(const indexer::ContentHash& hash) {
  std::string bytes(sizeof(hash.high) + sizeof(hash.low), '\0');
  std::memcpy(bytes.data(), &hash.high, sizeof(hash.high));
  std::memcpy(bytes.data() + sizeof(hash.high), &hash.low, sizeof(hash.low));
  return bytes;
}

/// Nothing for bytes of another length.
inline std::optional<indexer::ContentHash> hash_from(std::string_view bytes) {
  indexer::ContentHash hash;
  if (bytes.size() != sizeof(hash.high) + sizeof(hash.low)) return std::nullopt;
  std::memcpy(&hash.high, bytes.data(), sizeof(hash.high));
  std::memcpy(&hash.low, bytes.data() + sizeof(hash.high), sizeof(hash.low));
  return hash;
}

}  // namespace kinglet::daemon::wire
