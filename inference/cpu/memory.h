// Memory for what is read from one end to the other, again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "daemon/base/result.h"

namespace kinglet::inference::cpu {

/// Of this machine, in bytes; UINT64_MAX where it is not known.
std::uint64_t machine_memory();

/// Zeros, in huge pages where the system gives them. Memory is only reserved: a page costs nothing
/// until it is written.
class Arena {
 public:
  /// Error: kOutOfMemory when the bytes exceed this machine's memory or cannot be had; `what` names
  /// what they are for.
  static Result<Arena> create(std::size_t n_bytes, const char* what);

  Arena() = default;
  std::byte* begin() const { return bytes_.get(); }
  std::size_t size() const { return bytes_.get_deleter().n_bytes; }

 private:
  struct Unmap {
    std::size_t n_bytes;
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Unmap> bytes_;
};

}  // namespace kinglet::inference::cpu
