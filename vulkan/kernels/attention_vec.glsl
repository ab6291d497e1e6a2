// Causal attention of few tokens over the paged cache, split over the context: one pass over the
// cache for all query heads that share a KV head, and for several tokens of one sequence. The online
// softmax of Milakov and Gimelshein (2018), split as in Dao et al.'s Flash-Decoding (2023).
//
//   queries    rows of (n_tokens, row_stride) f32; n_heads · head_dim elements of each
//   positions  (n_tokens) u32; a token sees the positions up to its own, with a window the last
//              `window` of them
//   pages, key_cache, value_cache  see paged_cache.glsl
//   partials   (n_tokens, n_heads, n_splits, head_dim + 2) f32: Σ w·v, max, Σ w
//   counters   (tiles, n_kv_heads) u32, 0 before and after
//   result     (n_tokens, n_heads, head_dim) f32
//
// Rows are queries that share a KV head: row = token · group + head within the group. One workgroup
// for each KV head (x), split of the positions seen (y) and tile of kRows rows (z); tiles do not
// cross from one sequence to the next. What the tile's
// tokens see is cut into blocks of kBlock positions and these into equal splits, so all workgroups
// have work at any depth; those that get none end at once. Of the others each leaves its softmax
// numerator, maximum and sum, and the last to arrive joins them: the counter tells it, nobody waits.
//
// Within a block each position's score is computed by kKeyLanes invocations side by side, and then
// each invocation owns one chunk of the values' sum, over every kValueGroups-th position. Loads are
// eight elements wide, neighbours read neighbouring ones, and many are under way at once (of keys
// kChunksTogether of each of kKeysTogether positions, of values kValuesTogether): that is what a deep
// cache's speed hangs on.
//
// Where the cache holds rotated heads, queries are turned likewise and the result is turned back.
#include "activations.glsl"
#include "paged_cache.glsl"
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
  uint64_t counters;
  uint64_t result;
  uint n_tokens;
  uint n_kv_heads;
  uint group;  // query heads of a KV head
  uint row_stride;
  uint page_stride;
  uint window;  // 0: all
  float scale;
  float soft_cap;  // of the scaled scores; 0: none
};

// What the workgroups of a tile tell one another, past all caches that are not common.
layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer Partials {
  float at[];
};
layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer Counter {
  uint arrived;
};

const uint kBlock = kWorkgroupSize;
const uint kLeastBlocks = 2;  // of a split: fewer are not worth a join
const uint kChunks = (kUnits * kUnit + 7) / 8;
const uint kKeyLanes = 4;
const uint kKeyPositions = kWorkgroupSize / kKeyLanes;
const uint kValueGroups = kWorkgroupSize / kChunks;
const uint kBlockPages = kBlock / 8 + 1;  // at most, of pages of 8 positions

shared uint row_begin[kRows];  // positions that a row sees
shared uint row_end[kRows];
shared uint block_pages[2 * kBlockPages];  // of this block and the next
shared float score_parts[kRows * kBlock * kKeyLanes];
shared float weights[kRows * kBlock];
shared float row_parts[kRows * kWorkgroupSize];
shared float value_parts[kValueGroups * kHeadStride];
shared bool is_last;

const float kLowest = -1.0e38;  // finite, and so is its product with log2(e)

// Where tokens have page tables of their own, tiles begin anew with each token.
uint tile_rows() { return page_stride > 0 ? group : n_tokens * group; }
uint tiles() { return (tile_rows() + kRows - 1) / kRows; }
uint first_row() {
  return gl_WorkGroupID.z / tiles() * tile_rows() + gl_WorkGroupID.z % tiles() * kRows;
}
bool is_row(uint r) { return gl_WorkGroupID.z % tiles() * kRows + r < tile_rows(); }
uint token_of(uint r) { return (first_row() + r) / group; }
// Of the result and of the partials: (token, head).
uint line_of(uint r) {
  return token_of(r) * (n_kv_heads * group) + gl_WorkGroupID.x * group + (first_row() + r) % group;
}

void load_queries() {
  const uint lane = gl_LocalInvocationID.x;
  [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
    const uint head = gl_WorkGroupID.x * group + (first_row() + r) % group;
    ConstFloats q = ConstFloats(float_row(queries, is_row(r) ? token_of(r) : 0, row_stride) +
                                uint64_t(head * kHeadDim * 4));
    for (uint i = lane; i < kHeadStride; i += kWorkgroupSize) {
      heads[r * kHeadStride + i] = is_row(r) && i < kHeadDim ? q.at[i] * scale : 0.0;
    }
  }
  if (lane < kRows) {
    const uint n_seen = is_row(lane) ? ConstUints(positions).at[token_of(lane)] + 1 : 0;
    row_end[lane] = n_seen;
    row_begin[lane] = window > 0 && n_seen > window ? n_seen - window : 0;
  }
  barrier();
  if (kRotated) rotate_heads(kRows);
}

// Pages of the block that begins at this position; positions from n_seen on have none.
void load_pages(uint block, uint n_seen) {
  const uint lane = gl_LocalInvocationID.x;
  const uint page = block / kPageTokens + lane;
  if (lane < kBlockPages && page * kPageTokens < n_seen) {
    block_pages[block / kBlock % 2 * kBlockPages + lane] = page_at(pages, page_stride, token_of(0), page);
  }
}

uint64_t region_at(uint64_t cache, uint block, uint position) {
  const uint page = position / kPageTokens - block / kPageTokens;
  return region_of(cache, block_pages[block / kBlock % 2 * kBlockPages + page], n_kv_heads,
                   gl_WorkGroupID.x);
}

// Leaves the parts of the scores of a block's positions up to `last`; the others repeat it.
void score_block(uint block, uint last) {
  const uint lane = gl_LocalInvocationID.x;
  const uint part = lane % kKeyLanes;
  [[dont_unroll]] for (uint pass = 0; pass < kBlock / kKeyPositions; pass += kKeysTogether) {
    uint64_t regions[kKeysTogether];
    uint slots[kKeysTogether];
    [[unroll]] for (uint t = 0; t < kKeysTogether; ++t) {
      const uint position = min(block + (pass + t) * kKeyPositions + lane / kKeyLanes, last);
      regions[t] = region_at(key_cache, block, position);
      slots[t] = position % kPageTokens;
    }
    float sums[kKeysTogether * kRows];
    [[unroll]] for (uint i = 0; i < kKeysTogether * kRows; ++i) sums[i] = 0.0;
    [[dont_unroll]] for (uint first = part; first < kChunks; first += kKeyLanes * kChunksTogether) {
      Chunk keys[kKeysTogether * kChunksTogether];
      [[unroll]] for (uint c = 0; c < kChunksTogether; ++c) {
        const uint chunk = min(first + c * kKeyLanes, kChunks - 1);
        [[unroll]] for (uint t = 0; t < kKeysTogether; ++t) {
          keys[c * kKeysTogether + t] = fetch(regions[t], slots[t], chunk);
        }
      }
      [[unroll]] for (uint c = 0; c < kChunksTogether; ++c) {
        const uint chunk = first + c * kKeyLanes;
        if (chunk >= kChunks) continue;
        const uint low = low_element(chunk);
        const uint high = high_element(chunk);
        [[unroll]] for (uint r = 0; r < kRows; ++r) {
          const uint q = r * kHeadStride;
          const vec4 q_low =
              vec4(heads[q + low], heads[q + low + 1], heads[q + low + 2], heads[q + low + 3]);
          const vec4 q_high =
              vec4(heads[q + high], heads[q + high + 1], heads[q + high + 2], heads[q + high + 3]);
          [[unroll]] for (uint t = 0; t < kKeysTogether; ++t) {
            const Chunk key = keys[c * kKeysTogether + t];
            sums[t * kRows + r] += dot(low_of(key), q_low) + dot(high_of(key), q_high);
          }
        }
      }
    }
    [[unroll]] for (uint t = 0; t < kKeysTogether; ++t) {
      const uint position = (pass + t) * kKeyPositions + lane / kKeyLanes;
      [[unroll]] for (uint r = 0; r < kRows; ++r) {
        score_parts[(r * kBlock + position) * kKeyLanes + part] = sums[t * kRows + r];
      }
    }
  }
}

void main() {
  const uint lane = gl_LocalInvocationID.x;
  load_queries();
  uint seen_begin = 0xffffffffu;
  uint n_seen = 0;
  for (uint r = 0; r < kRows; ++r) {
    if (row_end[r] > 0) seen_begin = min(seen_begin, row_begin[r]);
    n_seen = max(n_seen, row_end[r]);
  }
  const uint first_block = seen_begin / kBlock;
  const uint n_blocks = (n_seen + kBlock - 1) / kBlock - first_block;
  const uint split_blocks =
      max(kLeastBlocks, (n_blocks + gl_NumWorkGroups.y - 1) / gl_NumWorkGroups.y);
  const uint n_splits = (n_blocks + split_blocks - 1) / split_blocks;  // that have work
  const uint split = gl_WorkGroupID.y;
  if (split >= n_splits) return;
  const uint begin = (first_block + split * split_blocks) * kBlock;
  const uint end = min(begin + split_blocks * kBlock, n_seen);

  float maxima[kRows];
  float sums[kRows];  // of this invocation's positions
  vec4 low_sums[kRows];
  vec4 high_sums[kRows];
  [[unroll]] for (uint r = 0; r < kRows; ++r) {
    maxima[r] = kLowest;
    sums[r] = 0.0;
    low_sums[r] = vec4(0.0);
    high_sums[r] = vec4(0.0);
  }
  const uint value_group = lane / kChunks;
  const uint value_chunk = lane % kChunks;

  load_pages(begin, n_seen);
  barrier();
  [[dont_unroll]] for (uint block = begin; block < end; block += kBlock) {
    const uint last = min(block + kBlock, end) - 1;
    score_block(block, last);
    barrier();

    // An invocation a position.
    float scores[kRows];
    const uint position = block + lane;
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      const uint at = (r * kBlock + lane) * kKeyLanes;
      float score = score_parts[at] + score_parts[at + 1] + score_parts[at + 2] + score_parts[at + 3];
      if (soft_cap > 0.0) score = soft_capped(score, soft_cap);
      scores[r] = position >= row_begin[r] && position < row_end[r] ? score : kLowest;
      const float maximum = subgroupMax(scores[r]);
      if (subgroupElect()) row_parts[r * kWorkgroupSize + gl_SubgroupID] = maximum;
    }
    load_pages(block + kBlock, n_seen);
    barrier();
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      float maximum = maxima[r];
      for (uint s = 0; s < gl_NumSubgroups; ++s) {
        maximum = max(maximum, row_parts[r * kWorkgroupSize + s]);
      }
      const float correction = exp(maxima[r] - maximum);
      const float weight = scores[r] > kLowest ? exp(scores[r] - maximum) : 0.0;
      weights[r * kBlock + lane] = weight;
      maxima[r] = maximum;
      sums[r] = sums[r] * correction + weight;
      low_sums[r] *= correction;
      high_sums[r] *= correction;
    }
    barrier();

    if (value_group < kValueGroups) {
      [[dont_unroll]] for (uint first = value_group; first < kBlock;
                            first += kValueGroups * kValuesTogether) {
        Chunk values[kValuesTogether];
        [[unroll]] for (uint t = 0; t < kValuesTogether; ++t) {
          const uint at = min(block + first + t * kValueGroups, last);
          values[t] = fetch(region_at(value_cache, block, at), at % kPageTokens, value_chunk);
        }
        [[unroll]] for (uint t = 0; t < kValuesTogether; ++t) {
          const uint at = first + t * kValueGroups;
          const vec4 low = low_of(values[t]);
          const vec4 high = high_of(values[t]);
          [[unroll]] for (uint r = 0; r < kRows; ++r) {
            const float weight = at < kBlock ? weights[r * kBlock + at] : 0.0;
            low_sums[r] += weight * low;
            high_sums[r] += weight * high;
          }
        }
      }
    }
  }

  // The groups' sums of each row, to where its query was.
  barrier();
  [[unroll]] for (uint r = 0; r < kRows; ++r) {
    if (value_group < kValueGroups) {
      const uint low = value_group * kHeadStride + low_element(value_chunk);
      const uint high = value_group * kHeadStride + high_element(value_chunk);
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        value_parts[low + i] = low_sums[r][i];
        value_parts[high + i] = high_sums[r][i];
      }
    }
    sums[r] = workgroup_sum(sums[r]);  // its barriers also publish value_parts
    const float factor = n_splits == 1 && sums[r] > 0.0 ? 1.0 / sums[r] : 1.0;
    for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
      float sum = 0.0;
      [[dont_unroll]] for (uint g = 0; g < kValueGroups; ++g) sum += value_parts[g * kHeadStride + i];
      heads[r * kHeadStride + i] = sum * factor;
    }
    barrier();
  }

  const uint stride = kHeadDim + 2;
  if (n_splits > 1) {
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      if (!is_row(r)) continue;
      const uint64_t line = partials + uint64_t(line_of(r)) * uint64_t(gl_NumWorkGroups.y * stride * 4);
      Partials mine = Partials(line + uint64_t(split * stride * 4));
      for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) mine.at[i] = heads[r * kHeadStride + i];
      if (lane == 0) {
        mine.at[kHeadDim] = maxima[r];
        mine.at[kHeadDim + 1] = sums[r];
      }
    }
    memoryBarrierBuffer();
    barrier();
    if (lane == 0) {
      Counter counter =
          Counter(counters + uint64_t((gl_WorkGroupID.z * n_kv_heads + gl_WorkGroupID.x) * 4));
      is_last = atomicAdd(counter.arrived, 1) == n_splits - 1;
      if (is_last) counter.arrived = 0;
    }
    barrier();
    if (!is_last) return;
    memoryBarrierBuffer();
    [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
      if (!is_row(r)) continue;
      Partials all =
          Partials(partials + uint64_t(line_of(r)) * uint64_t(gl_NumWorkGroups.y * stride * 4));
      // An invocation a split.
      const float sum = lane < n_splits ? all.at[lane * stride + kHeadDim + 1] : 0.0;
      const float maximum = sum > 0.0 ? all.at[lane * stride + kHeadDim] : kLowest;
      const float greatest = workgroup_max(maximum);
      const float weight = sum > 0.0 ? exp(maximum - greatest) : 0.0;
      const float total = workgroup_sum(weight * sum);
      weights[lane] = weight / total;
      barrier();
      for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
        float joined = 0.0;
        for (uint s = 0; s < n_splits; ++s) joined += weights[s] * all.at[s * stride + i];
        heads[r * kHeadStride + i] = joined;
      }
      barrier();
    }
  }

  if (kRotated) unrotate_heads(kRows);
  [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
    if (!is_row(r)) continue;
    Floats y = Floats(float_row(result, line_of(r), kHeadDim));
    for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) y.at[i] = heads[r * kHeadStride + i];
  }
}
