// Stores keys and values of new tokens in the paged cache, in blocks of 32. The including file
// defines store_block(row, block), which quantizes elements 32 · block and on of head_vector, and
// whether the heads are rotated first.
//
//   keys, values, positions, pages, key_cache, value_cache  as in cache_write.glsl
//
// One workgroup for each KV head (x), token (y), and keys or values (z).
#include "paged_cache.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t keys;
  uint64_t values;
  uint64_t positions;
  uint64_t pages;
  uint64_t key_cache;
  uint64_t value_cache;
  uint n_kv_heads;
  uint head_dim;
  uint row_stride;
  uint page_tokens;
  uint page_stride;
};

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const uint kv_head = gl_WorkGroupID.x;
  const uint token = gl_WorkGroupID.y;
  const bool is_key = gl_WorkGroupID.z == 0;
  const uint position = ConstUints(positions).at[token];
  const uint64_t table = page_table(pages, page_stride, token);
  const uint n_blocks = blocks_of(head_dim);
  ConstFloats head =
      ConstFloats(float_row(is_key ? keys : values, token, row_stride) + kv_head * head_dim * 4);
  for (uint i = lane; i < n_blocks * kBlockElements; i += kWorkgroupSize) {
    head_vector[i] = i < head_dim ? head.at[i] : 0.0;
  }
  barrier();
  if (kRotated) rotate_head(head_dim);
  const uint64_t row = cache_row(is_key ? key_cache : value_cache, table, page_tokens, n_kv_heads,
                                 head_dim, position, kv_head);
  if (lane < n_blocks) store_block(row, lane);
}
