// Products of weights and activations. Shapes are row-major, the last dimension contiguous; f32
// unless said otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "vulkan/operations/formats.h"
#include "vulkan/traffic.h"

namespace kinglet::vulkan {

/// What becomes of a product's results.
enum class Store : std::uint8_t {
  kPlain,   // output = scale · result
  kAdd,     // output += scale · result
  kSwiGlu,  // output = silu(gate) · up
  kGeGlu,   // output = gelu(gate) · up
};
constexpr bool is_gated(Store store) {
  return store == Store::kSwiGlu || store == Store::kGeGlu;
}

/// Several matrices times the same vectors: result[t][r] = Σ_c weights[r][c] · input[t][c] +
/// bias[r].
struct Products {
  struct Part {
    Matrix weights;
    DeviceAddress bias = 0;           // (n_rows); 0: none
    DeviceAddress output = 0;         // (n_tokens, output_stride): n_rows elements of each row
    std::uint32_t output_stride = 0;  // elements; 0: n_rows
  };
  static constexpr std::uint32_t kMaxParts = 3;

  /// Of one n_columns; their types may differ. A gated store has gates and ups of equal shape and
  /// type in parts 0 and 1, or both in one matrix, gates first; part 0 says where the output goes.
  std::array<Part, kMaxParts> parts = {};
  std::uint32_t n_parts = 1;
  /// (n_tokens, input_stride): n_columns elements of each row. Where a matrix's type has blocks,
  /// the address and the stride are multiples of 16 bytes. No output overlaps it.
  DeviceAddress input = 0;
  std::uint32_t n_tokens = 0;
  std::uint32_t input_stride = 0;  // elements; 0: n_columns
  /// (n_columns): the rows of the input are RMS normed with it as they are loaded; 0: not.
  /// REQUIRES can_norm(n_tokens).
  DeviceAddress norm_weight = 0;
  float norm_epsilon = 0;
  Store store = Store::kPlain;
  float scale = 1;
  /// kSplitScratchBytes that nothing else in the same stage uses; 0: products of many tokens leave
  /// a part of the device idle where they have few rows.
  DeviceAddress scratch = 0;
};
inline constexpr std::uint64_t kSplitScratchBytes = std::uint64_t{8} << 20;
/// Up to here one pass over the weights serves all tokens.
inline constexpr std::uint32_t kMaxVecTokens = 16;
/// Whether products of so many tokens can norm their input; else the caller does before.
constexpr bool can_norm(std::uint32_t n_tokens) {
  return n_tokens <= kMaxVecTokens;
}

struct MulMat {
  Matrix weights;
  DeviceAddress input = 0;   // (n_tokens, input_stride): n_columns elements of each row
  DeviceAddress output = 0;  // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t input_stride = 0;   // elements; 0: n_columns
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  DeviceAddress bias = 0;           // (n_rows), added to each token's output; 0: none
};

/// The parts' weights and biases, the input once, the outputs; what a residual adds to is read,
/// too.
Traffic traffic(const Products& op);

/// What a tuner may vary of products of one token: their kernels' numbers, each path's own, and,
/// for ProductPath::kIntegerDot, whether floats are not faster after all.
std::vector<Knob> vec_knobs(const DeviceInfo& device, WeightType type, bool dot);
std::optional<Knob> dot_knob(const DeviceInfo& device, WeightType type);

/// What a low-rank product adds: output += scale · weights^T · input.
struct LowRankAdd {
  DeviceAddress weights = 0;  // (n_columns, n_rows) f32: the matrix, transposed
  DeviceAddress input = 0;    // (n_tokens, n_columns)
  DeviceAddress output = 0;   // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;      // few: one invocation adds them up
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  float scale = 1;
};

}  // namespace kinglet::vulkan
