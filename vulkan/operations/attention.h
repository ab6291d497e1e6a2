// Heads: their norms, their rotation by position, the paged cache of keys and values, attention.
// Shapes are row-major, the last dimension contiguous; f32 unless said otherwise.
#pragma once

#include "vulkan/operations/formats.h"
#include "vulkan/traffic.h"

namespace kinglet::vulkan {

struct HeadRmsNorm {
  DeviceAddress heads = 0;   // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress weight = 0;  // (head_dim)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t row_stride = 0;  // elements
  float epsilon = 0;
};

struct Rope {
  DeviceAddress heads = 0;      // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress positions = 0;  // (n_tokens) u32
  DeviceAddress table = 0;      // (n_positions, n_rotated / 2, 2): cos, sin
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t n_rotated = 0;   // even, at most head_dim
  std::uint32_t row_stride = 0;  // elements
};

/// One layer's keys and values: each (n_pages, n_kv_heads, page_tokens) rows of cache_row_bytes(),
/// from a multiple of 16 on.
struct PagedCache {
  CacheType type = CacheType::kF32;
  DeviceAddress keys = 0;
  DeviceAddress values = 0;
  DeviceAddress pages = 0;        // u32: the sequence's n-th page → page in the cache
  std::uint32_t page_tokens = 0;  // a multiple of 8
  std::uint32_t n_kv_heads = 0;
  std::uint32_t head_dim = 0;
  // From one token's table in `pages` to the next one's, in entries, where the tokens are of
  // several sequences; 0: all are of one.
  std::uint32_t page_stride = 0;
};

enum class RopeStyle : std::uint8_t {
  kNeox,         // dimension i turns with i + n_rotated / 2
  kInterleaved,  // dimension 2i turns with 2i + 1
};

/// From fresh queries, keys and values to what attention needs: heads normed where the model does
/// that, queries turned by their positions in place, keys turned and stored, values stored.
struct RopeStore {
  PagedCache cache;
  DeviceAddress queries = 0;     // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress keys = 0;        // likewise, of n_kv_heads; what they are afterwards is left open
  DeviceAddress values = 0;      // likewise
  DeviceAddress query_norm = 0;  // (head_dim): RMS norm of each query head; 0: none
  DeviceAddress key_norm = 0;    // likewise, of each key head
  DeviceAddress positions = 0;   // (n_tokens) u32, different ones in one sequence
  DeviceAddress table = 0;       // (n_positions, n_rotated / 2, 2): cos, sin
  RopeStyle style = RopeStyle::kNeox;
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;     // 0: keys and values alone
  std::uint32_t n_rotated = 0;   // even, at most head_dim; 0: nothing turns
  std::uint32_t row_stride = 0;  // elements
  float norm_epsilon = 0;
};

/// Causal attention over the cache. Tokens of one sequence come in the order of their positions.
/// Many tokens are multiplied on the path of the products (ProductPath), f32 caches always in
/// floats; few always in floats: they wait for memory.
struct Attention {
  PagedCache cache;
  DeviceAddress queries = 0;    // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress positions = 0;  // (n_tokens) u32; a token sees its own position and those before
  DeviceAddress scratch = 0;    // attention_scratch_bytes()
  DeviceAddress counters = 0;   // attention_counters() u32, all 0, and 0 again afterwards
  DeviceAddress output = 0;     // (n_tokens, n_heads, head_dim)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;  // a multiple of cache.n_kv_heads
  std::uint32_t row_stride = 0;
  std::uint32_t max_context = 0;  // no position is this high or higher
  std::uint32_t window = 0;       // a token sees this many positions, its own included; 0: all
  float scale = 0;                // usually 1 / sqrt(head_dim)
  float soft_cap = 0;             // scaled scores s become soft_cap · tanh(s / soft_cap); 0: not
  std::uint32_t n_positions = 0;  // that the last token sees, for traffic(); 0: max_context
};
std::uint64_t attention_scratch_bytes(const Attention& op);
std::uint32_t attention_counters(const Attention& op);

Traffic traffic(const HeadRmsNorm& op);
Traffic traffic(const Rope& op);
Traffic traffic(const RopeStore& op);
/// For tokens at the end of n_positions.
Traffic traffic(const Attention& op);

}  // namespace kinglet::vulkan
