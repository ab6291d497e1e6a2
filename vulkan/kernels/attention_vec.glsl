// Causal attention of few tokens over the paged cache (attention.glsl): one pass over the cache for
// all query heads that share a KV head, and for several tokens of one sequence.
//
// Within a block each position's score is computed by kKeyLanes invocations side by side, and then
// each invocation owns one chunk of the values' sum, over every kValueGroups-th position. Loads are
// eight elements wide, neighbours read neighbouring ones, and many are under way at once (of keys
// kChunksTogether of each of kKeysTogether positions, of values kValuesTogether): that is what a deep
// cache's speed hangs on.
//
// With kStores it does rope_store.glsl's work, too (without norms), of one token a tile, whose queries
// are all in it: each workgroup turns its queries, and that of the last split turns and stores key and
// value. It does not read them back from the cache, which would want the device's caches to agree:
// their rows as they are stored stay in shared memory, and the online softmax begins with them. The
// queries themselves stay as they were.
//
//   table  (n_positions, n_rotated / 2, 2) f32: cos and sin; pairs as in rope_store.glsl
#include "attention.glsl"

layout(local_size_x = kWorkgroupSize) in;

const uint kKeyLanes = 4;
const uint kKeyPositions = kWorkgroupSize / kKeyLanes;
const uint kValueGroups = kWorkgroupSize / kChunks;

shared float score_parts[kRows * kBlock * kKeyLanes];
shared float weights[kRows * kBlock];
shared float row_parts[kRows * kWorkgroupSize];
// Of two groups or more: a head has no more than 32 chunks. Before that, the new key and value.
shared float value_parts[kValueGroups * kHeadStride];

// Turns heads 0 to n − 1 by the positions of rows 0 to n − 1.
void turn_by_position(uint n) {
  const uint n_pairs = n_rotated / 2;
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < n * n_pairs; i += kWorkgroupSize) {
    const uint r = i / n_pairs;
    const uint pair = i % n_pairs;
    const uint position = max(row_end[r], 1) - 1;
    ConstFloats turn = ConstFloats(float_row(table, position, n_rotated));
    const uint first = r * kHeadStride + pair * pair_step;
    const float c = turn.at[pair * 2];
    const float s = turn.at[pair * 2 + 1];
    const float a = heads[first];
    const float b = heads[first + pair_offset];
    heads[first] = a * c - b * s;
    heads[first + pair_offset] = a * s + b * c;
  }
  barrier();
}

// Leaves key and value of the tile's token in the cache and in value_parts.
void store_new(uint position) {
  const uint64_t row = float_row(queries, token_of(0), row_stride);
  const uint page = page_at(pages, page_stride, token_of(0), position / kPageTokens);
  [[dont_unroll]] for (uint i = 0; i < 2; ++i) {
    const bool is_key = i == 0;
    const uint first = (is_key ? key_offset : value_offset) + gl_WorkGroupID.x * kHeadDim;
    ConstFloats x = ConstFloats(row + uint64_t(first) * 4ul);
    for (uint e = gl_LocalInvocationID.x; e < kHeadStride; e += kWorkgroupSize) {
      heads[e] = e < kHeadDim ? x.at[e] : 0.0;
    }
    barrier();
    if (is_key) turn_by_position(1);
    if (kRotated) rotate_heads(1);
    const uint chunk = gl_LocalInvocationID.x;
    if (chunk < kChunks) {
      const Chunk x = rounded(chunk);
      store_chunk(region_of(is_key ? key_cache : value_cache, page, n_kv_heads, gl_WorkGroupID.x),
                  position % kPageTokens, chunk, x);
      const vec4 low = low_of(x);
      const vec4 high = high_of(x);
      [[unroll]] for (uint e = 0; e < 4; ++e) {
        value_parts[i * kHeadStride + low_element(chunk) + e] = low[e];
        value_parts[i * kHeadStride + high_element(chunk) + e] = high[e];
      }
    }
    barrier();
  }
}

// Of row r with the key in value_parts, for all invocations.
float new_score(uint r) {
  float part = 0.0;
  for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
    part += heads[r * kHeadStride + i] * value_parts[i];
  }
  const float score = workgroup_sum(part);
  return soft_cap > 0.0 ? soft_capped(score, soft_cap) : score;
}

void load_queries() {
  [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
    ConstFloats q = ConstFloats(query_of(r));
    for (uint i = gl_LocalInvocationID.x; i < kHeadStride; i += kWorkgroupSize) {
      heads[r * kHeadStride + i] = is_row(r) && i < kHeadDim ? q.at[i] * scale : 0.0;
    }
  }
  if (kStores != 0) {
    barrier();
    turn_by_position(kRows);
  }
  if (kRotated) rotate_heads(kRows);
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
  Range range = split_range();
  if (range.begin >= range.end) return;
  const bool has_new = kStores != 0 && range.end == range.n_seen;
  if (has_new) store_new(range.n_seen - 1);
  load_queries();

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

  if (has_new) {
    [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
      const float score = new_score(r);  // its barriers publish the queries, and row_end's last use
      if (lane == 0) weights[r * kBlock] = score;
    }
    barrier();
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      maxima[r] = weights[r * kBlock];
      sums[r] = lane == 0 ? 1.0 : 0.0;
      if (value_group > 0) continue;
      const uint low = kHeadStride + low_element(value_chunk);
      const uint high = kHeadStride + high_element(value_chunk);
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        low_sums[r][i] = value_parts[low + i];
        high_sums[r][i] = value_parts[high + i];
      }
    }
    if (lane < kRows) row_end[lane] = range.n_seen - 1;
    range.end -= 1;
  }
  load_pages(range.begin, range.n_seen);
  barrier();
  [[dont_unroll]] for (uint block = range.begin; block < range.end; block += kBlock) {
    const uint last = min(block + kBlock, range.end) - 1;
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
    load_pages(block + kBlock, range.n_seen);
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
    const float factor = range.n_splits == 1 && sums[r] > 0.0 ? 1.0 / sums[r] : 1.0;
    for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
      float sum = 0.0;
      [[dont_unroll]] for (uint g = 0; g < kValueGroups; ++g) sum += value_parts[g * kHeadStride + i];
      heads[r * kHeadStride + i] = sum * factor;
    }
    barrier();
  }

  if (range.n_splits > 1) {
    const uint stride = kHeadDim + 2;
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      if (!is_row(r)) continue;
      Partials mine = partials_of(r);
      const uint first = gl_WorkGroupID.y * stride;
      for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
        mine.at[first + i] = heads[r * kHeadStride + i];
      }
      if (lane == 0) {
        mine.at[first + kHeadDim] = maxima[r];
        mine.at[first + kHeadDim + 1] = sums[r];
      }
    }
    if (!arrives_last_of_all(range.n_splits)) return;
    [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
      if (is_row(r)) join_all(r, range.n_splits, r);
    }
  }
  put_rows(0, kRows);
}
