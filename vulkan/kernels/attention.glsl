// Causal attention over the paged cache with grouped queries, split over the context. Of each split
// it leaves the softmax numerator, its maximum and its sum; attention_combine.comp joins them
// (the online softmax of Milakov and Gimelshein 2018; split as in Dao et al.'s Flash-Decoding 2023).
//
//   queries    rows of (n_tokens, row_stride) f32; n_heads · head_dim elements of each
//   positions  (n_tokens) u32; a token sees the positions up to its own, with a window the last
//              `window` of them
//   pages, key_cache, value_cache  see paged_cache.glsl
//   partials   (n_tokens, n_heads, n_splits, head_dim + 2) f32: Σ w·v, max, Σ w
//
// Where the cache holds rotated heads (kRotated, of the including file) the query is turned likewise
// and the partial sums stay turned.
//
// One workgroup for each head (x), split of split_tokens positions (y) and token (z). It walks its
// split in blocks of kWorkgroupSize positions: first each invocation computes the score of one
// position, then each owns the elements lane, lane + kWorkgroupSize, … of the sum over values.
// [[dont_unroll]] keeps registers for occupancy.
#include "activations.glsl"
#include "paged_cache.glsl"
const uint kWorkgroupSize = 64;
#include "reduce.glsl"
#include "rotation.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t queries;
  uint64_t positions;
  uint64_t pages;
  uint64_t key_cache;
  uint64_t value_cache;
  uint64_t partials;
  uint n_heads;
  uint n_kv_heads;
  uint head_dim;
  uint row_stride;
  uint page_tokens;
  uint page_stride;
  uint split_tokens;
  uint window;  // 0: all
  float scale;
  float soft_cap;  // of the scaled scores; 0: none
};

shared float block_weights[kWorkgroupSize];
shared uint64_t block_values[kWorkgroupSize];

const float kLowest = -3.0e38;  // finite: exp of an infinity is not Vulkan's to define

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const uint head = gl_WorkGroupID.x;
  const uint split = gl_WorkGroupID.y;
  const uint token = gl_WorkGroupID.z;
  const uint kv_head = head / (n_heads / n_kv_heads);
  const uint64_t table = page_table(pages, page_stride, token);
  const uint n_seen = ConstUints(positions).at[token] + 1;
  const uint first_seen = window > 0 && n_seen > window ? n_seen - window : 0;
  const uint begin = max(split * split_tokens, first_seen);
  const uint end = min((split + 1) * split_tokens, n_seen);

  ConstFloats q = ConstFloats(float_row(queries, token, row_stride) + head * head_dim * 4);
  // head_vector is the query from here on.
  for (uint i = lane; i < head_dim; i += kWorkgroupSize) head_vector[i] = q.at[i] * scale;
  barrier();
  if (kRotated) rotate_head(head_dim);

  float maximum = kLowest;
  float sum = 0.0;
  float owned[kOwned];
  [[unroll]] for (uint o = 0; o < kOwned; ++o) owned[o] = 0.0;
  for (uint block = begin; block < end; block += kWorkgroupSize) {
    const uint position = block + lane;
    float score = kLowest;
    if (position < end) {
      const uint64_t key =
          cache_row(key_cache, table, page_tokens, n_kv_heads, head_dim, position, kv_head);
      block_values[lane] =
          cache_row(value_cache, table, page_tokens, n_kv_heads, head_dim, position, kv_head);
      score = 0.0;
      const uint n_whole = head_dim & ~3u;
      [[dont_unroll]] for (uint i = 0; i < n_whole; i += 4) {
        score += dot(load4(key, i), vec4(head_vector[i], head_vector[i + 1], head_vector[i + 2],
                                         head_vector[i + 3]));
      }
      [[dont_unroll]] for (uint i = n_whole; i < head_dim; ++i) {
        score += load1(key, i) * head_vector[i];
      }
      if (soft_cap > 0.0) score = soft_capped(score, soft_cap);
    }
    const float new_maximum = max(maximum, workgroup_max(score));
    const float weight = position < end ? exp(score - new_maximum) : 0.0;
    const float correction = block == begin ? 0.0 : exp(maximum - new_maximum);
    block_weights[lane] = weight;
    sum = sum * correction + workgroup_sum(weight);  // its barriers also publish the shared arrays
    maximum = new_maximum;
    [[unroll]] for (uint o = 0; o < kOwned; ++o) owned[o] *= correction;
    const uint n_positions = min(kWorkgroupSize, end - block);
    [[dont_unroll]] for (uint j = 0; j < n_positions; ++j) {
      const float w = block_weights[j];
      const uint64_t value = block_values[j];
      [[unroll]] for (uint o = 0; o < kOwned; ++o) {
        const uint i = lane + o * kWorkgroupSize;
        if (i < head_dim) owned[o] += w * load1(value, i);
      }
    }
    barrier();  // the shared arrays have been read
  }

  const uint partial = (token * n_heads + head) * gl_NumWorkGroups.y + split;
  Floats result = Floats(float_row(partials, partial, head_dim + 2));
  [[unroll]] for (uint o = 0; o < kOwned; ++o) {
    const uint i = lane + o * kWorkgroupSize;
    if (i < head_dim) result.at[i] = owned[o];
  }
  if (lane == 0) {
    result.at[head_dim] = maximum;
    result.at[head_dim + 1] = sum;
  }
}
