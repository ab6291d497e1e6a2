// Lookups, norms, and what is computed of single elements. Shapes are row-major, the last dimension
// contiguous; f32 unless said otherwise.
#pragma once

#include "vulkan/operations/formats.h"
#include "vulkan/traffic.h"

namespace kinglet::vulkan {

struct GetRows {
  Matrix table;
  DeviceAddress ids = 0;  // (n_tokens) u32, each below table.n_rows
  std::uint32_t n_tokens = 0;
  DeviceAddress output = 0;  // (n_tokens, n_columns)
};
/// Of different ids.
Traffic traffic(const GetRows& op);

struct RmsNorm {
  DeviceAddress input = 0;   // (n_rows, n_columns)
  DeviceAddress weight = 0;  // (n_columns)
  DeviceAddress output = 0;  // (n_rows, n_columns); may be the input
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
  float epsilon = 0;
};
Traffic traffic(const RmsNorm& op);

struct LayerNorm {
  DeviceAddress input = 0;   // (n_rows, n_columns)
  DeviceAddress weight = 0;  // (n_columns)
  DeviceAddress bias = 0;    // (n_columns); 0: none
  DeviceAddress output = 0;  // (n_rows, n_columns); may be the input
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
  float epsilon = 0;
};
Traffic traffic(const LayerNorm& op);

/// SwiGLU, GeGLU.
struct GatedLinear {
  DeviceAddress gate_up = 0;  // (n_tokens, 2 · n_columns): gates, then ups
  DeviceAddress output = 0;   // (n_tokens, n_columns)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_columns = 0;
};

/// Operations on single elements, in place.
struct Elementwise {
  DeviceAddress values = 0;  // (n_tokens, row_stride): n_columns elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t n_columns = 0;
  std::uint32_t row_stride = 0;  // elements; 0: n_columns
};

struct Add {
  DeviceAddress a = 0;  // (n_elements)
  DeviceAddress b = 0;
  DeviceAddress output = 0;  // may be a or b
  std::uint32_t n_elements = 0;
};
Traffic traffic(const Add& op);

}  // namespace kinglet::vulkan
