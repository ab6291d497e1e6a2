// What a forward pass costs at least, from the model's shape alone: the bytes it has to move once
// and the arithmetic it has to do. The limit that measured speeds are held against: no kernel, no
// fusion, no cache can go below it.
#pragma once

#include <cstdint>

#include "inference/kv_cache.h"
#include "inference/model.h"

namespace kinglet::inference {

struct PassShape {
  std::uint32_t n_tokens = 1;  ///< at least 1; consecutive tokens of one sequence
  std::uint32_t depth = 0;     ///< positions before them, in the cache
  std::uint32_t n_logits = 1;  ///< of the last tokens
};

struct PassCost {
  std::uint64_t weight_bytes = 0;  ///< as they lie in the file; of the embedding the rows looked up
  std::uint64_t cache_bytes = 0;   ///< keys and values that are seen or written, each once
  std::uint64_t product_flops = 0;    ///< of weights and activations; multiply and add are two
  std::uint64_t attention_flops = 0;  ///< of queries and keys, weights and values

  std::uint64_t bytes() const { return weight_bytes + cache_bytes; }
  std::uint64_t flops() const { return product_flops + attention_flops; }
};

/// Activations are not counted: they stay in the device's caches.
PassCost pass_cost(const Model& model, KvFormat kv_format, const PassShape& shape);

}  // namespace kinglet::inference
