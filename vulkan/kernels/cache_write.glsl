// Stores keys and values of new tokens in the paged cache, in the including file's format.
//
//   keys, values  rows of (n_tokens, row_stride) f32; n_kv_heads · head_dim elements of each
//   positions     (n_tokens) u32
//   pages         page tables, u32 (paged_cache.glsl)
//   key_cache, value_cache  see paged_cache.glsl
//
// One invocation an element of keys and one of values: x over n_kv_heads · head_dim, y = token.
#include "paged_cache.glsl"

layout(local_size_x = 64) in;

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
  const uint index = gl_GlobalInvocationID.x;
  if (index >= n_kv_heads * head_dim) return;
  const uint token = gl_WorkGroupID.y;
  const uint position = ConstUints(positions).at[token];
  const uint64_t table = page_table(pages, page_stride, token);
  const uint kv_head = index / head_dim;
  const uint i = index % head_dim;
  store1(cache_row(key_cache, table, page_tokens, n_kv_heads, head_dim, position, kv_head), i,
         ConstFloats(float_row(keys, token, row_stride)).at[index]);
  store1(cache_row(value_cache, table, page_tokens, n_kv_heads, head_dim, position, kv_head), i,
         ConstFloats(float_row(values, token, row_stride)).at[index]);
}
