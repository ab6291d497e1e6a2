// Products of weights and activations, with what goes before and after them: a norm, and what
// becomes of the sums. Several matrices that multiply the same activations are one job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <hwy/aligned_allocator.h>

#include "inference/backend.h"
#include "inference/cpu/byte_activations.h"
#include "inference/cpu/packed.h"
#include "inference/cpu/thread_pool.h"
#include "inference/cpu/weights.h"

namespace kinglet::inference::cpu {

/// One matrix of a job.
struct Product {
  const Matrix* matrix = nullptr;
  const float* bias = nullptr;  ///< (n_rows) or null
  float scale = 1;              ///< of product and bias
  float* out = nullptr;         ///< (n_tokens, n_rows), out_stride apart
  std::size_t out_stride = 0;
};

/// What becomes of a product.
enum class Ending : std::uint8_t {
  kStore,   // out = product
  kAdd,     // out += product
  kGelu,    // out = gelu(product)
  kSwiGlu,  // out = silu(first product) * second product, of two with rows alike
  kGeGlu,   // out = gelu(first product) * second product
};

/// What the activations are made of: normed = norm(in), both (n_tokens, n_columns).
struct Norm {
  OpKind kind = OpKind::kRmsNorm;  ///< or kLayerNorm
  const float* in = nullptr;
  std::size_t in_stride = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;  ///< of kLayerNorm, or null
  float epsilon = 0;
};

void normalize(const Norm& norm, const float* in, std::size_t n, float* out);

struct ProductJob {
  std::span<const Product> products;  ///< with columns alike; 1 to 3
  Ending ending = Ending::kStore;
  std::optional<Norm> norm;  ///< is written to x first
  /// (n_tokens, n_columns), x_stride apart; padded(n_columns) floats are read of each, what lies
  /// beyond n_columns must be finite.
  float* x = nullptr;
  std::size_t x_stride = 0;
  std::uint32_t n_tokens = 0;
  Activations activations = Activations::kF32;  ///< kInt8 only if the multiplier has it
};

/// One thread calls it. Each sum is made in the same order whatever n_tokens and the number of
/// threads are.
class Multiplier {
 public:
  /// For so many tokens and columns at most. `threads` outlives it.
  Multiplier(ThreadPool& threads,
             Activations activations,
             std::uint32_t most_tokens,
             std::uint32_t most_columns);

  /// Of its activations; each thread has some kilobytes beside.
  static std::uint64_t n_bytes(Activations activations,
                               std::uint32_t most_tokens,
                               std::uint32_t most_columns);

  void multiply(const ProductJob& job);

 private:
  void prepare(const ProductJob& job);
  /// Sums of tiles of 16 rows, (tiles, n_tokens, 16).
  void sum_tiles(const ProductJob& job, const Matrix& matrix, TileSet tiles, float* sums) const;
  /// All that there is to do about tiles of one product, or of the two of a unit.
  void compute(const ProductJob& job, std::size_t product, TileSet tiles, float* scratch);

  ThreadPool& threads_;
  std::uint32_t most_tokens_;
  ByteActivations bytes_;                       // what is multiplied, with Activations::kInt8
  hwy::AlignedFreeUniquePtr<float[]> scratch_;  // n_scratch() floats for each thread
};

}  // namespace kinglet::inference::cpu
