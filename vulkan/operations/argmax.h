// The greedy choice of the next token, and what the next pass needs to know of it.
#pragma once

#include <cstdint>

#include "vulkan/buffer.h"

namespace kinglet::vulkan {

struct Argmax {
  /// In the history instead of an id: the row holds a number that is none, or infinite.
  static constexpr std::uint32_t kNotFinite = 0xffff'ffff;

  DeviceAddress rows = 0;  // (n_rows, n_columns) f32
  /// argmax_scratch_bytes(), zeros when first used; zeros where they must be afterwards.
  DeviceAddress scratch = 0;
  /// (n_rows) u32: becomes the column of each row's greatest number, the lowest of equal ones.
  DeviceAddress ids = 0;
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
  /// (n_rows) u32: each is raised by one; 0: none.
  DeviceAddress positions = 0;
  /// (n_history, n_rows) u32: the id chosen at position p goes to row p % n_history; 0: none. Only
  /// together with positions.
  DeviceAddress history = 0;
  std::uint32_t n_history = 0;
};

std::uint64_t argmax_scratch_bytes(std::uint32_t n_rows, std::uint32_t n_columns);

}  // namespace kinglet::vulkan
