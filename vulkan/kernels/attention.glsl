// What the kernels of attention have in common: rows (queries that share a KV head: row = token ·
// group + head within the group) in tiles of kRows (of the including file), the even split of what a
// tile's tokens see, and the join of splits by the last workgroup to arrive: a counter tells it, nobody
// waits. Of a split each leaves its softmax numerator, maximum and sum (the online softmax of Milakov
// and Gimelshein 2018, split as in Dao et al.'s Flash-Decoding 2023).
//
//   queries    rows of (n_tokens, row_stride) f32; n_heads · head_dim elements of each
//   positions  (n_tokens) u32, ascending where tokens are of one sequence; a token sees the positions
//              up to its own, with a window the last `window` of them
//   pages, key_cache, value_cache  see paged_cache.glsl
//   partials   (n_tokens, n_heads, n_splits, head_dim + 2) f32: Σ w·v, max, Σ w
//   counters   (tiles, n_kv_heads) u32, 0 before and after
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
const uint kBlockPages = kBlock / 8 + 1;  // at most, of pages of 8 positions

shared uint row_begin[kRows];  // positions that a row sees
shared uint row_end[kRows];
shared uint block_pages[2 * kBlockPages];  // of this block and the next
shared float split_weights[kBlock];        // of the join
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

// Whether this workgroup is the last of its tile to arrive, whose partials then are all there.
bool arrives_last(uint n_splits) {
  buffer_barrier();
  if (gl_LocalInvocationID.x == 0) {
    Counter counter =
        Counter(counters + uint64_t((gl_WorkGroupID.z * n_kv_heads + gl_WorkGroupID.x) * 4));
    is_last = arrive(counter) == n_splits - 1;
    if (is_last) counter.arrived = 0;
  }
  buffer_barrier();
  return is_last;
}

// Joins the splits of row r, to this head.
void join_row(uint r, uint n_splits, uint head) {
  const uint lane = gl_LocalInvocationID.x;
  const uint stride = kHeadDim + 2;
  Partials all = partials_of(r);
  // An invocation a split.
  const float sum = lane < n_splits ? all.at[lane * stride + kHeadDim + 1] : 0.0;
  const float maximum = sum > 0.0 ? all.at[lane * stride + kHeadDim] : kLowest;
  const float greatest = workgroup_max(maximum);
  const float weight = sum > 0.0 ? exp(maximum - greatest) : 0.0;
  const float total = workgroup_sum(weight * sum);
  if (lane < n_splits) split_weights[lane] = weight / total;
  barrier();
  for (uint i = lane; i < kHeadDim; i += kWorkgroupSize) {
    float joined = 0.0;
    for (uint s = 0; s < n_splits; ++s) joined += split_weights[s] * all.at[s * stride + i];
    heads[head * kHeadStride + i] = joined;
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
