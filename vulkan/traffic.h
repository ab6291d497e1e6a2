// What an operation costs at least: the bytes it must move and the arithmetic it must do. The limit
// that a measured time is held against (docs/performance.md); derived from shapes, never measured.
#pragma once

#include <cstdint>

namespace kinglet::vulkan {

/// Each byte counts once, however often caches or invocations fetch it.
struct Traffic {
  std::uint64_t read = 0;     // bytes
  std::uint64_t written = 0;  // bytes
  std::uint64_t flops = 0;    // a multiplication and an addition are two

  std::uint64_t bytes() const { return read + written; }

  friend Traffic operator+(const Traffic& a, const Traffic& b) {
    return {a.read + b.read, a.written + b.written, a.flops + b.flops};
  }
};

}  // namespace kinglet::vulkan
