// Causal attention of many tokens over the paged cache (attention.glsl), after Dao et al.'s
// FlashAttention (2022): 32 queries meet 64 positions at a time, their scores and weights never leave
// shared memory, and the sums over values stay in registers.
//
// Each invocation computes a square of kSide rows and kSide positions of the scores, the head sliced
// by kSlice elements, and then of kSide rows a part of the sum over values, the positions sliced.
#include "attention.glsl"

layout(local_size_x = kWorkgroupSize) in;

const uint kSide = 4;
const uint kKeyGroups = kBlock / kSide;
const uint kSlice = 32;
const uint kSliceStride = kSlice + 4;  // so that rows begin in different banks
const uint kWeightStride = kBlock + 4;
const uint kTileFloats = kBlock * kSliceStride;
const uint kValueKeys = kTileFloats / kHeadStride / kSide * kSide;
const uint kQuads = (kHeadDim + 63) / 64;  // of each row's sum; an invocation owns every 16th
const uint kRowLanes = kWorkgroupSize / kRows;
const uint kRowKeys = kBlock / kRowLanes;

shared float query_tile[kRows * kSliceStride];
shared float tile[kTileFloats];  // of keys, then of values
shared float weights[kRows * kWeightStride];
shared float row_parts[kRows * kRowLanes];
shared float corrections[kRows];

// Past all caches that other invocations may not see through.
layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer TurnedQueries {
  float at[];
};

vec4 quad_of_queries(uint i) {
  return vec4(query_tile[i], query_tile[i + 1], query_tile[i + 2], query_tile[i + 3]);
}
vec4 quad_of_tile(uint i) { return vec4(tile[i], tile[i + 1], tile[i + 2], tile[i + 3]); }

void put_chunk(uint low, uint high, Chunk chunk) {
  const vec4 a = low_of(chunk);
  const vec4 b = high_of(chunk);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    tile[low + i] = a[i];
    tile[high + i] = b[i];
  }
}

// Queries are turned once. Until the result is known, its place is theirs.
void turn_queries() {
  [[dont_unroll]] for (uint first = 0; first < kRows; first += kHeadRows) {
    [[dont_unroll]] for (uint r = 0; r < kHeadRows; ++r) {
      ConstFloats q = ConstFloats(query_of(first + r));
      for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
        heads[r * kHeadStride + i] = q.at[i];
      }
    }
    rotate_heads(kHeadRows);
    [[dont_unroll]] for (uint r = 0; r < kHeadRows; ++r) {
      if (!is_row(first + r)) continue;
      TurnedQueries y = TurnedQueries(float_row(result, line_of(first + r), kHeadDim));
      for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
        y.at[i] = heads[r * kHeadStride + i];
      }
    }
    barrier();
  }
  buffer_barrier();
}

void load_queries(uint slice) {
  const uint r = gl_LocalInvocationID.x / kRowLanes;
  const uint first = gl_LocalInvocationID.x % kRowLanes * (kSlice / kRowLanes);
  const uint64_t row = kRotated && is_row(r) ? float_row(result, line_of(r), kHeadDim) : query_of(r);
  [[unroll]] for (uint i = first; i < first + kSlice / kRowLanes; ++i) {
    const uint element = slice * kSlice + i;
    float x = 0.0;
    if (is_row(r) && element < kHeadDim) {
      x = kRotated ? TurnedQueries(row).at[element] : ConstFloats(row).at[element];
    }
    query_tile[r * kSliceStride + i] = x * scale;
  }
}

void load_keys(uint block, uint last, uint slice) {
  const uint slice_chunks = kSlice / 8;
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < kBlock * slice_chunks;
                       i += kWorkgroupSize) {
    const uint key = i / slice_chunks;
    const uint chunk = slice * slice_chunks + i % slice_chunks;
    const uint low = key * kSliceStride + low_element(chunk) % kSlice;
    const uint high = key * kSliceStride + high_element(chunk) % kSlice;
    if (chunk < kChunks) {
      const uint position = min(block + key, last);
      put_chunk(low, high, fetch(region_at(key_cache, block, position), position % kPageTokens, chunk));
    } else {
      [[unroll]] for (uint e = 0; e < 4; ++e) tile[low + e] = tile[high + e] = 0.0;
    }
  }
}

void load_values(uint block, uint last, uint first) {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < kValueKeys * kChunks;
                       i += kWorkgroupSize) {
    const uint key = i / kChunks;
    const uint chunk = i % kChunks;
    const uint position = min(block + first + key, last);
    put_chunk(key * kHeadStride + low_element(chunk), key * kHeadStride + high_element(chunk),
              fetch(region_at(value_cache, block, position), position % kPageTokens, chunk));
  }
}

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const Range range = split_range();
  if (range.begin >= range.end) return;
  if (kRotated) turn_queries();

  const uint first_own = lane / kKeyGroups * kSide;  // of the rows of this invocation
  const uint key_group = lane % kKeyGroups;
  const uint row = lane / kRowLanes;  // whose weights this invocation makes, with its neighbours
  float maximum = kLowest;
  float sum = 0.0;  // of this invocation's positions
  vec4 sums[kSide * kQuads];
  [[unroll]] for (uint i = 0; i < kSide * kQuads; ++i) sums[i] = vec4(0.0);

  load_pages(range.begin, range.n_seen);
  [[dont_unroll]] for (uint block = range.begin; block < range.end; block += kBlock) {
    const uint last = min(block + kBlock, range.end) - 1;
    float scores[kSide * kSide];
    [[unroll]] for (uint i = 0; i < kSide * kSide; ++i) scores[i] = 0.0;
    [[dont_unroll]] for (uint slice = 0; slice < kHeadStride / kSlice; ++slice) {
      barrier();
      load_queries(slice);
      load_keys(block, last, slice);
      barrier();
      [[dont_unroll]] for (uint i = 0; i < kSlice; i += 4) {
        vec4 keys[kSide];
        [[unroll]] for (uint k = 0; k < kSide; ++k) {
          keys[k] = quad_of_tile((key_group + k * kKeyGroups) * kSliceStride + i);
        }
        [[unroll]] for (uint r = 0; r < kSide; ++r) {
          const vec4 q = quad_of_queries((first_own + r) * kSliceStride + i);
          [[unroll]] for (uint k = 0; k < kSide; ++k) scores[r * kSide + k] += dot(q, keys[k]);
        }
      }
    }
    [[unroll]] for (uint r = 0; r < kSide; ++r) {
      [[unroll]] for (uint k = 0; k < kSide; ++k) {
        const uint at = first_own + r;
        const uint key = key_group + k * kKeyGroups;
        float score = scores[r * kSide + k];
        if (soft_cap > 0.0) score = soft_capped(score, soft_cap);
        const bool is_seen = block + key >= row_begin[at] && block + key < row_end[at];
        weights[at * kWeightStride + key] = is_seen ? score : kLowest;
      }
    }
    load_pages(block + kBlock, range.n_seen);
    barrier();

    const uint first_key = row * kWeightStride + lane % kRowLanes * kRowKeys;
    float greatest = weights[first_key];
    [[dont_unroll]] for (uint k = 1; k < kRowKeys; ++k) {
      greatest = max(greatest, weights[first_key + k]);
    }
    row_parts[lane] = greatest;
    barrier();
    greatest = maximum;
    [[unroll]] for (uint i = 0; i < kRowLanes; ++i) {
      greatest = max(greatest, row_parts[row * kRowLanes + i]);
    }
    const float correction = exp(maximum - greatest);
    if (lane % kRowLanes == 0) corrections[row] = correction;
    maximum = greatest;
    sum *= correction;
    [[dont_unroll]] for (uint k = 0; k < kRowKeys; ++k) {
      const float score = weights[first_key + k];
      const float weight = score > kLowest ? exp(score - greatest) : 0.0;
      weights[first_key + k] = weight;
      sum += weight;
    }

    [[dont_unroll]] for (uint first = 0; first < kBlock; first += kValueKeys) {
      barrier();
      load_values(block, last, first);
      barrier();
      if (first == 0) {
        [[unroll]] for (uint r = 0; r < kSide; ++r) {
          [[unroll]] for (uint c = 0; c < kQuads; ++c) {
            sums[r * kQuads + c] *= corrections[first_own + r];
          }
        }
      }
      const uint n_keys = min(kValueKeys, kBlock - first);
      [[dont_unroll]] for (uint k = 0; k < n_keys; k += kSide) {
        [[unroll]] for (uint i = 0; i < kSide; ++i) {
          vec4 values[kQuads];
          [[unroll]] for (uint c = 0; c < kQuads; ++c) {
            const uint element = min((key_group + c * kKeyGroups) * 4, kHeadStride - 4);
            values[c] = quad_of_tile((k + i) * kHeadStride + element);
          }
          [[unroll]] for (uint r = 0; r < kSide; ++r) {
            const float weight = weights[(first_own + r) * kWeightStride + first + k + i];
            [[unroll]] for (uint c = 0; c < kQuads; ++c) sums[r * kQuads + c] += weight * values[c];
          }
        }
      }
    }
  }

  // Each row's sum of weights and maximum, to where all see them.
  barrier();
  row_parts[lane] = sum;
  if (lane % kRowLanes == 0) corrections[row] = maximum;
  barrier();
  const uint stride = kHeadDim + 2;
  const uint split = gl_WorkGroupID.y * stride;
  if (range.n_splits > 1) {
    [[unroll]] for (uint r = 0; r < kSide; ++r) {
      const uint at = first_own + r;
      if (!is_row(at)) continue;
      Partials mine = partials_of(at);
      [[unroll]] for (uint c = 0; c < kQuads; ++c) {
        const uint first = (key_group + c * kKeyGroups) * 4;
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          if (first + i < kHeadDim) mine.at[split + first + i] = sums[r * kQuads + c][i];
        }
      }
    }
    if (lane % kRowLanes == 0 && is_row(row)) {
      Partials mine = partials_of(row);
      float total = 0.0;
      [[unroll]] for (uint i = 0; i < kRowLanes; ++i) total += row_parts[row * kRowLanes + i];
      mine.at[split + kHeadDim] = corrections[row];
      mine.at[split + kHeadDim + 1] = total;
    }
    if (!arrives_last_of_all(range.n_splits)) return;
  }
  [[dont_unroll]] for (uint first = 0; first < kRows; first += kHeadRows) {
    if (range.n_splits > 1) {
      [[dont_unroll]] for (uint r = 0; r < kHeadRows; ++r) {
        if (is_row(first + r)) join_all(first + r, range.n_splits, r);
      }
    } else if (first_own == first) {
      [[unroll]] for (uint r = 0; r < kSide; ++r) {
        float total = 0.0;
        [[unroll]] for (uint i = 0; i < kRowLanes; ++i) total += row_parts[(first + r) * kRowLanes + i];
        [[unroll]] for (uint c = 0; c < kQuads; ++c) {
          const uint element = (key_group + c * kKeyGroups) * 4;
          [[unroll]] for (uint i = 0; i < 4; ++i) {
            if (element + i < kHeadDim) {
              heads[r * kHeadStride + element + i] = sums[r * kQuads + c][i] / total;
            }
          }
        }
      }
    }
    barrier();
    put_rows(first, kHeadRows);
    barrier();
  }
}
