// Causal attention of many tokens over the paged cache (attention.glsl), after Dao et al.'s
// FlashAttention (2022): 32 queries meet 64 positions at a time, their scores and weights never leave
// shared memory, and the sums over values stay in registers.
//
// How scores and sums are multiplied is another file's: in f32 or, with KINGLET_HALF, f16
// (attention_tile_fma.glsl), or by cooperative matrices with KINGLET_MATRIX
// (attention_tile_matrix.glsl). Sums over the context are f32 in all of them.
//
// An invocation makes the weights of kRowKeys positions of one row; of the sums over values it has
// those of kSide rows, every 16th four of their elements.
#include "attention.glsl"

layout(local_size_x = kWorkgroupSize) in;

const uint kSide = 4;
const uint kKeyGroups = kBlock / kSide;
const uint kSlice = 32;  // elements of the head that queries and keys have in shared memory at once
const uint kWeightStride = kBlock + 4;
const uint kQuads = (kHeadDim + 63) / 64;  // of each row's sum
const uint kRowLanes = kWorkgroupSize / kRows;
const uint kRowKeys = kBlock / kRowLanes;

#if defined(KINGLET_HALF) || defined(KINGLET_MATRIX)
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define Quad f16vec4
#else
#define Quad vec4
#endif
// So that rows begin in different banks, and matrices at 16 bytes.
#ifdef KINGLET_MATRIX
const uint kSpareQuads = 2;
#else
const uint kSpareQuads = 1;
#endif
const uint kSliceStride = kSlice / 4 + kSpareQuads;  // in fours
#ifdef KINGLET_MATRIX
const uint kValueSlice = 64;  // elements of the values that are there at once, of all positions
const uint kTileQuads = kBlock * (kValueSlice / 4 + kSpareQuads);
#else
const uint kTileQuads = kBlock * kSliceStride;
#endif

shared Quad query_tile[kRows * kSliceStride];
shared Quad tile[kTileQuads];                 // of keys, then of values
shared float weights[kRows * kWeightStride];  // scores, then what becomes of them
shared float row_parts[kRows * kRowLanes];
shared float corrections[kRows];  // of what was summed so far

// Of this invocation.
vec4 sums[kSide * kQuads];
uint first_own;  // row
uint key_group;  // and position, or four of elements: every 16th from here on

// Past all caches that other invocations may not see through.
layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer TurnedQueries {
  float at[];
};

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
  const uint n_quads = kSlice / 4 / kRowLanes;
  const uint first = gl_LocalInvocationID.x % kRowLanes * n_quads;
  const uint64_t row = kRotated && is_row(r) ? float_row(result, line_of(r), kHeadDim) : query_of(r);
  [[unroll]] for (uint quad = first; quad < first + n_quads; ++quad) {
    vec4 x = vec4(0.0);
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      const uint element = slice * kSlice + quad * 4 + i;
      if (is_row(r) && element < kHeadDim) {
        x[i] = kRotated ? TurnedQueries(row).at[element] : ConstFloats(row).at[element];
      }
    }
    query_tile[r * kSliceStride + quad] = Quad(x * scale);
  }
}

// `width` elements from slice · width on of a block's positions up to `last`, which the others repeat.
void load_slice(uint64_t cache, uint block, uint last, uint slice, uint width) {
  const uint n_chunks = width / 8;
  const uint stride = width / 4 + kSpareQuads;
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < kBlock * n_chunks; i += kWorkgroupSize) {
    const uint key = i / n_chunks;
    const uint chunk = slice * n_chunks + i % n_chunks;
    const uint low = key * stride + low_element(chunk) % width / 4;
    const uint high = key * stride + high_element(chunk) % width / 4;
    if (chunk < kChunks) {
      const uint position = min(block + key, last);
      const Chunk c = fetch(region_at(cache, block, position), position % kPageTokens, chunk);
      tile[low] = Quad(low_of(c));
      tile[high] = Quad(high_of(c));
    } else {
      tile[low] = tile[high] = Quad(0.0);
    }
  }
}

#ifdef KINGLET_MATRIX
#include "attention_tile_matrix.glsl"
#else
#include "attention_tile_fma.glsl"
#endif

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const Range range = split_range();
  if (range.begin >= range.end) return;
  if (kRotated) turn_queries();

  first_own = lane / kKeyGroups * kSide;
  key_group = lane % kKeyGroups;
  const uint row = lane / kRowLanes;  // whose weights this invocation makes, with its neighbours
  float maximum = kLowest;
  float sum = 0.0;  // of this invocation's positions
  [[unroll]] for (uint i = 0; i < kSide * kQuads; ++i) sums[i] = vec4(0.0);

  load_pages(range.begin, range.n_seen);
  [[dont_unroll]] for (uint block = range.begin; block < range.end; block += kBlock) {
    const uint last = min(block + kBlock, range.end) - 1;
    score_block(block, last);
    load_pages(block + kBlock, range.n_seen);
    barrier();

    const uint first_key = lane % kRowLanes * kRowKeys;
    const uint first_weight = row * kWeightStride + first_key;
    float greatest = kLowest;
    [[dont_unroll]] for (uint k = 0; k < kRowKeys; ++k) {
      float score = weights[first_weight + k];
      if (soft_cap > 0.0) score = soft_capped(score, soft_cap);
      const uint position = block + first_key + k;
      if (position < row_begin[row] || position >= row_end[row]) score = kLowest;
      weights[first_weight + k] = score;
      greatest = max(greatest, score);
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
      const float score = weights[first_weight + k];
      const float weight = score > kLowest ? exp(score - greatest) : 0.0;
      put_weight(row, first_key + k, weight);
      sum += weight;
    }
    add_values(block, last);
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
