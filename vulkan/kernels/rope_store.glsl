// What stands between the projection and attention, for the heads of new tokens: queries and keys
// are normed (where the model does so) and turned by their position, queries are put back, keys and
// values stored in the paged cache in the including file's format.
//
//   queries, keys, values  rows of (n_tokens, row_stride) f32; n_heads · head_dim elements of each,
//              n_kv_heads · head_dim of keys and values
//   query_norm, key_norm  (head_dim) f32, or the address 0: heads are not normed.
//              x[i] ← x[i] · weight[i] / sqrt(mean_j(x[j]²) + epsilon) (Zhang and Sennrich 2019; on
//              heads as in Dehghani et al. 2023)
//   positions  (n_tokens) u32
//   table      (n_positions, n_rotated / 2, 2) f32: cos and sin, computed on the host in f64, because
//              Vulkan's own may be 2⁻¹¹ off
//   pages, key_cache, value_cache  see paged_cache.glsl
//
// Rotary position embedding (Su et al. 2021): elements a and b of a pair become a·cos − b·sin and
// a·sin + b·cos. Pair i is (i, i + n_rotated / 2) in GPT-NeoX's way, (2i, 2i + 1) in the paper's own.
//
// One workgroup for each head (x: queries, then keys, then values) and token (y).
#include "reduce.glsl"
#include "rotation.glsl"
#include "paged_cache.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t queries;
  uint64_t keys;
  uint64_t values;
  uint64_t query_norm;
  uint64_t key_norm;
  uint64_t positions;
  uint64_t table;
  uint64_t pages;
  uint64_t key_cache;
  uint64_t value_cache;
  uint n_heads;
  uint n_kv_heads;
  uint row_stride;
  uint page_stride;
  uint n_rotated;
  uint pair_step;    // from a pair's first element to the next pair's
  uint pair_offset;  // from a pair's first element to its second
  float epsilon;
};

void norm_head(uint64_t weight) {
  ConstFloats w = ConstFloats(weight);
  float squares = 0.0;
  for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
    squares += heads[i] * heads[i];
  }
  const float factor = inversesqrt(workgroup_sum(squares) / float(kHeadDim) + epsilon);
  for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
    heads[i] *= factor * w.at[i];
  }
  barrier();
}

void turn_head(uint position) {
  ConstFloats turn = ConstFloats(float_row(table, position, n_rotated));
  for (uint pair = gl_LocalInvocationID.x; pair < n_rotated / 2; pair += kWorkgroupSize) {
    const uint first = pair * pair_step;
    const float c = turn.at[pair * 2];
    const float s = turn.at[pair * 2 + 1];
    const float a = heads[first];
    const float b = heads[first + pair_offset];
    heads[first] = a * c - b * s;
    heads[first + pair_offset] = a * s + b * c;
  }
  barrier();
}

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const uint slot = gl_WorkGroupID.x;
  const uint token = gl_WorkGroupID.y;
  const uint position = ConstUints(positions).at[token];
  const bool is_query = slot < n_heads;
  const bool is_key = !is_query && slot < n_heads + n_kv_heads;
  const uint head = is_query ? slot : slot - n_heads - (is_key ? 0 : n_kv_heads);
  const uint64_t rows = is_query ? queries : is_key ? keys : values;
  Floats row = Floats(float_row(rows, token, row_stride) + uint64_t(head * kHeadDim * 4));
  for (uint i = lane; i < kHeadStride; i += kWorkgroupSize) {
    heads[i] = i < kHeadDim ? row.at[i] : 0.0;
  }
  barrier();
  const uint64_t norm = is_query ? query_norm : is_key ? key_norm : 0ul;
  if (norm != 0ul) norm_head(norm);
  if (is_query || is_key) turn_head(position);
  if (is_query) {
    for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) row.at[i] = heads[i];
    return;
  }
  if (kRotated) rotate_heads(1);
  const uint page = page_at(pages, page_stride, token, position / kPageTokens);
  store_head(region_of(is_key ? key_cache : value_cache, page, n_kv_heads, head),
             position % kPageTokens);
}
