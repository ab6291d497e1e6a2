// What the kernels of attention have in common: rows (queries that share a KV head: row = token ·
// group + head within the group) in tiles of kRows (of the including file), the even split of what a
// tile's tokens see, and the join of splits by the last workgroups to arrive: counters tell them, nobody
// waits. Of a split each leaves its softmax numerator, maximum and sum (the online softmax of Milakov
// and Gimelshein 2018, split as in Dao et al.'s Flash-Decoding 2023). kFanIn neighbours are joined by
// their last, and these clusters by the last of them: one workgroup alone would read hundreds of splits
// for longer than all of them took.
//
//   queries    rows of (n_tokens, row_stride) f32; n_heads · head_dim elements of each
//   positions  (n_tokens) u32, ascending where tokens are of one sequence; a token sees the positions
//              up to its own, with a window the last `window` of them
//   pages, key_cache, value_cache  see paged_cache.glsl
//   partials   (n_tokens, n_heads, n_splits, head_dim + 2) f32: Σ w·v, max, Σ w
//   counters   (tiles, n_kv_heads, 1 + clusters) u32, 0 before and after: of the clusters, then of the
//              splits of each
//   result     (n_tokens, n_heads, head_dim) f32
//
// One workgroup for each KV head (x), split of the positions seen (y) and tile of rows (z); tiles do
// not cross from one sequence to the next. What a tile's tokens see is cut into blocks of kBlock
// positions and these into equal splits, so all workgroups have work at any depth; those that get
// none end at once.
//
// Where the cache holds rotated heads, queries are turned likewise and the result is turned back.
#include "activations.glsl"
#include "arrival.glsl"
#include "paged_cache.glsl"
#include "reduce.glsl"
#include "rotation.glsl"

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
  // Of what is turned and stored here (attention_vec.glsl):
  uint64_t table;
  uint key_offset;  // floats from a token's queries to its keys
  uint value_offset;
  uint n_rotated;
  uint pair_step;
  uint pair_offset;
};

// What the workgroups of a tile tell one another, past all caches that are not common.
layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer Partials {
  float at[];
};

const uint kBlock = 64;
const uint kLeastBlocks = 2;  // of a split: fewer are not worth a join
const uint kFanIn = 16;       // of a join
const uint kBlockPages = kBlock / 8 + 1;  // at most, of pages of 8 positions

shared uint row_begin[kRows];  // positions that a row sees
shared uint row_end[kRows];
shared uint block_pages[2 * kBlockPages];  // of this block and the next
shared float split_maxima[kFanIn];         // of the join
shared float split_sums[kFanIn];
shared float split_weights[kFanIn];
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

uint64_t query_of(uint r) {
  const uint head = gl_WorkGroupID.x * group + (first_row() + r) % group;
  return float_row(queries, is_row(r) ? token_of(r) : 0, row_stride) + uint64_t(head * kHeadDim * 4);
}

// The positions of this workgroup's split, in whole blocks but for the end.
struct Range {
  uint begin;
  uint end;
  uint n_seen;    // by any of the tile
  uint n_splits;  // that have work; when this one has none, the range is empty
};

// Fills row_begin and row_end.
Range split_range() {
  const uint lane = gl_LocalInvocationID.x;
  if (lane < kRows) {
    const uint n_seen = is_row(lane) ? ConstUints(positions).at[token_of(lane)] + 1 : 0;
    row_end[lane] = n_seen;
    row_begin[lane] = window > 0 && n_seen > window ? n_seen - window : 0;
  }
  barrier();
  uint seen_begin = row_begin[0];
  uint n_seen = 0;
  [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
    if (row_end[r] > 0) seen_begin = min(seen_begin, row_begin[r]);
    n_seen = max(n_seen, row_end[r]);
  }
  const uint first_block = seen_begin / kBlock;
  const uint n_blocks = (n_seen + kBlock - 1) / kBlock - first_block;
  const uint split_blocks =
      max(kLeastBlocks, (n_blocks + gl_NumWorkGroups.y - 1) / gl_NumWorkGroups.y);
  const uint n_splits = (n_blocks + split_blocks - 1) / split_blocks;
  const uint begin = (first_block + gl_WorkGroupID.y * split_blocks) * kBlock;
  return Range(begin, max(begin, min(begin + split_blocks * kBlock, n_seen)), n_seen, n_splits);
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

Partials partials_of(uint r) {
  const uint stride = kHeadDim + 2;
  return Partials(partials + uint64_t(line_of(r)) * uint64_t(gl_NumWorkGroups.y * stride * 4));
}

// Whether this workgroup is the last of n to arrive at this counter of its tile's.
bool arrives_last(uint counter, uint n) {
  buffer_barrier();
  if (gl_LocalInvocationID.x == 0) {
    const uint n_counters = 1 + (gl_NumWorkGroups.y + kFanIn - 1) / kFanIn;
    const uint tile = gl_WorkGroupID.z * n_kv_heads + gl_WorkGroupID.x;
    Counter c = Counter(counters + uint64_t(tile * n_counters + counter) * 4ul);
    is_last = arrive(c) == n - 1;
    if (is_last) c.arrived = 0;
  }
  buffer_barrier();
  return is_last;
}

// Partials: `n` of them, no more than kFanIn, from split `first` on, `step` apart.
struct Join {
  uint first;
  uint step;
  uint n;
};

// Those that are left when all clusters are joined.
Join last_join(uint n_splits) {
  return n_splits <= kFanIn ? Join(0, 1, n_splits)
                            : Join(0, kFanIn, (n_splits + kFanIn - 1) / kFanIn);
}

// Leaves Σ w·v of row r in this head; tells max and Σ w.
vec2 join_row(uint r, Join join, uint head) {
  const uint lane = gl_LocalInvocationID.x;
  const uint stride = kHeadDim + 2;
  Partials all = partials_of(r);
  barrier();  // the last join's are read
  if (lane < join.n) {
    const uint at = (join.first + lane * join.step) * stride + kHeadDim;
    split_maxima[lane] = all.at[at];
    split_sums[lane] = all.at[at + 1];
  }
  barrier();
  // What saw no position says nothing.
  float greatest = kLowest;
  [[dont_unroll]] for (uint s = 0; s < join.n; ++s) {
    if (split_sums[s] > 0.0) greatest = max(greatest, split_maxima[s]);
  }
  if (lane < join.n) {
    split_weights[lane] = split_sums[lane] > 0.0 ? exp(split_maxima[lane] - greatest) : 0.0;
  }
  barrier();
  float total = 0.0;
  [[dont_unroll]] for (uint s = 0; s < join.n; ++s) total += split_weights[s] * split_sums[s];
  [[dont_unroll]] for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
    float joined = 0.0;
    // Some loads at once.
    [[dont_unroll]] for (uint first = 0; first < join.n; first += 4) {
      float parts[4];
      [[unroll]] for (uint t = 0; t < 4; ++t) {
        parts[t] = all.at[(join.first + min(first + t, join.n - 1) * join.step) * stride + i];
      }
      [[unroll]] for (uint t = 0; t < 4; ++t) {
        if (first + t < join.n) joined += split_weights[first + t] * parts[t];
      }
    }
    heads[head * kHeadStride + i] = joined;
  }
  return vec2(greatest, total);
}

// When a split's partials are written: joins those of its cluster if it is their last. Whether this
// workgroup is the last of all, for whom last_join() is left to do.
bool arrives_last_of_all(uint n_splits) {
  const uint lane = gl_LocalInvocationID.x;
  const uint first = gl_WorkGroupID.y / kFanIn * kFanIn;
  const Join join = Join(first, 1, min(n_splits - first, kFanIn));
  if (!arrives_last(1 + first / kFanIn, join.n)) return false;
  if (n_splits <= kFanIn) return true;
  [[dont_unroll]] for (uint r = 0; r < kRows; ++r) {
    if (!is_row(r)) continue;
    const vec2 sums = join_row(r, join, 0);
    // In the place of the first: what an invocation writes, it alone has read.
    Partials mine = partials_of(r);
    const uint at = first * (kHeadDim + 2);
    for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) mine.at[at + i] = heads[i];
    if (lane < 2) mine.at[at + kHeadDim + lane] = sums[lane];
  }
  return arrives_last(0, last_join(n_splits).n);
}

// The result of row r, in this head.
void join_all(uint r, uint n_splits, uint head) {
  const float total = join_row(r, last_join(n_splits), head).y;
  for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
    heads[head * kHeadStride + i] /= total;
  }
  barrier();
}

// Puts heads 0 to n − 1 where rows `first` and on belong.
void put_rows(uint first, uint n) {
  if (kRotated) unrotate_heads(n);
  [[dont_unroll]] for (uint r = first; r < first + n; ++r) {
    if (!is_row(r)) continue;
    Floats y = Floats(float_row(result, line_of(r), kHeadDim));
    for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += kWorkgroupSize) {
      y.at[i] = heads[(r - first) * kHeadStride + i];
    }
  }
}
