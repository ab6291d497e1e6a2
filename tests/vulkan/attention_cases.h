// What tests of attention share: caches read back, and attention against the float64 reference.
#pragma once

#include <memory>
#include <vector>

#include "tests/vulkan/lab.h"
#include "vulkan/operations.h"

namespace kinglet::test {

std::uint32_t u32(std::size_t value);

/// What a cache holds of a sequence's heads: (n_positions, n_kv_heads, head_dim).
std::vector<double> stored_heads(const Tensor& tensor,
                                 const vulkan::PagedCache& cache,
                                 const std::vector<std::uint32_t>& pages,
                                 std::size_t n_positions);

/// Root mean square of the differences over that of `given`.
double mean_error(const std::vector<float>& given, const std::vector<double>& stored);

/// What mean_error() may be for normally distributed numbers: a uniform error over a quant, which
/// is a 127th or an 8th of the greatest of 32 numbers, some 2.1 standard deviations.
double rounding_of(vulkan::CacheType type);

vulkan::Operations operations_for(Lab& lab,
                                  const vulkan::PagedCache& cache,
                                  std::uint32_t n_heads,
                                  std::uint32_t attention_rows = 0,
                                  vulkan::ProductPath path = vulkan::ProductPath::kAuto);

std::shared_ptr<Tensor> scratch_for(Lab& lab, const vulkan::Attention& op);
std::shared_ptr<Tensor> zeros(Lab& lab, std::size_t n);

struct AttentionShape {
  std::uint32_t n_heads, n_kv_heads, head_dim, page_tokens, n_positions, n_tokens, window;
  float soft_cap = 0;
  std::uint32_t rows = 0;  // vulkan::Formats's attention_rows
  float outlier = 0;       // what one element of all keys is further from 0, and a tenth of it of
                           // all queries: the biases that some models learn
};

/// Stores random keys and values and lets the last n_tokens of n_positions see them. Checks what
/// was stored and that counters are 0 again; the worst error of what was seen, over the reference's
/// root mean square.
double attention_error(Lab& lab,
                       vulkan::CacheType type,
                       const AttentionShape& shape,
                       vulkan::ProductPath path = vulkan::ProductPath::kAuto);

}  // namespace kinglet::test
