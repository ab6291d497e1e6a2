#include "vulkan/operations/attention.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <optional>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct HeadRmsNormPush {
  DeviceAddress heads, weight;
  std::uint32_t head_dim, row_stride;
  float epsilon;
};
struct RopePush {
  DeviceAddress heads, positions, table;
  std::uint32_t n_heads, head_dim, n_rotated, row_stride;
};
struct RopeStorePush {
  DeviceAddress queries, keys, values, query_norm, key_norm, positions, table, pages, key_cache,
      value_cache;
  std::uint32_t n_heads, n_kv_heads, row_stride, page_stride, n_rotated, pair_step, pair_offset;
  float epsilon;
};
struct AttentionPush {
  DeviceAddress queries, positions, pages, key_cache, value_cache, partials, counters, output;
  std::uint32_t n_tokens, n_kv_heads, group, row_stride, page_stride, window;
  float scale, soft_cap;
  DeviceAddress table = 0;
  std::uint32_t key_offset = 0, value_offset = 0, n_rotated = 0, pair_step = 0, pair_offset = 0;
};
#pragma pack(pop)

// The constants of the kernels' files of the same names.
constexpr std::uint32_t kHeadWorkgroup = 64;
constexpr std::uint32_t kBlock = 64;    // positions that a workgroup of attention treats at once
constexpr std::uint32_t kKeyLanes = 4;  // invocations that score a position together
constexpr std::uint32_t kLeastBlocks = 2;
constexpr std::uint32_t kMostRows = 8;
constexpr std::uint32_t kFanIn = 16;  // splits that a workgroup joins at once
constexpr std::uint32_t kMostSplits = kFanIn * kFanIn;
constexpr std::uint32_t kMostHeadStages = 200;  // rounds of loops that turn a head
constexpr std::uint32_t kTiledHeadStages = 80;  // of each, where four are turned by 128 invocations

/// Rows of a workgroup of attention: as even as they can be, of no more than `most`.
std::uint32_t rows_of(std::uint32_t n_rows, std::uint32_t most) {
  return divide_up(n_rows, divide_up(n_rows, most));
}

/// Tokens of one sequence from which on the way for many is taken.
constexpr std::uint32_t kLeastTileTokens = 17;
constexpr std::uint32_t kTileRows = 32;

bool is_tiled(const Attention& op) {
  return op.cache.page_stride == 0 && op.n_tokens >= kLeastTileTokens;
}

/// How queries, keys and values of many tokens are multiplied.
struct TilePath {
  std::string_view operation;  // of the kernels' names
  Specialization specialization;
};

/// A choice of the constants of kernels/attention_tile_matrix.glsl, where it can be made.
std::optional<Specialization> matrix_specialization(const DeviceInfo& device,
                                                    std::uint32_t head_dim,
                                                    std::uint32_t page_tokens) {
  constexpr std::uint32_t kWorkgroup = 128;
  constexpr std::uint32_t kSlice = 32;
  // Without the heads that are turned or joined.
  constexpr std::uint32_t kSharedBytes = 26'624;
  const MatrixShape& one = device.matrix;
  const std::uint32_t head_bytes = divide_up(head_dim, 32) * 32 * 4 * 4;
  if (!device.optional.cooperative_matrix || !device.optional.float16_arithmetic ||
      kTileRows % one.m != 0 || kBlock % one.n != 0 || kSlice % one.k != 0 ||
      kWorkgroup % device.matrix_subgroup_size != 0 ||
      kSharedBytes + head_bytes > device.max_shared_bytes) {
    return std::nullopt;
  }
  return Specialization{
      .constants =
          {head_dim, page_tokens, kWorkgroup / device.matrix_subgroup_size, one.m, one.n, one.k},
      .subgroup_size = device.optional.subgroup_size_control ? device.matrix_subgroup_size : 0};
}

/// As products take it: an f32 cache is exact, and what the device cannot do is done in f16, or in
/// f32. Whoever wants bytes for the products has the fastest of these, there are none for heads.
TilePath tile_path(const DeviceInfo& device,
                   const Tiling& tiling,
                   ProductPath path,
                   CacheType type,
                   std::uint32_t head_dim,
                   std::uint32_t page_tokens) {
  // A software driver converts each half to a float and back.
  const bool is_chosen = path == ProductPath::kAuto || path == ProductPath::kIntegerDot;
  const bool is_exact = type == CacheType::kF32 || path == ProductPath::kFloat ||
                        (is_chosen && device.type == DeviceType::kSoftware);
  // Of their own accord AMD's cards take halves: by RADV's model of RDNA 3 two fifths of the cycles
  // (docs/results/gpu_attention.md).
  const bool takes_matrices =
      path == ProductPath::kMatrix || (is_chosen && device.vendor_id != kAmdVendor);
  if (!is_exact && takes_matrices && !tiling.matrices.shapes.empty()) {
    if (auto matrix = matrix_specialization(device, head_dim, page_tokens))
      return {"attention_tile_matrix", *std::move(matrix)};
  }
  const bool is_half = !is_exact && device.optional.float16_arithmetic;
  return {is_half ? "attention_tile_half" : "attention_tile", {{head_dim, page_tokens}}};
}

struct QueryTiles {
  std::uint32_t rows;   // of each
  std::uint32_t count;  // of each KV head
};

QueryTiles tiles_of(const Attention& op, std::uint32_t most_rows) {
  const std::uint32_t group = op.n_heads / op.cache.n_kv_heads;
  if (is_tiled(op)) return {kTileRows, divide_up(op.n_tokens * group, kTileRows)};
  if (op.cache.page_stride > 0 || op.n_tokens == 1) {
    const std::uint32_t rows = rows_of(group, most_rows);
    return {rows, op.n_tokens * divide_up(group, rows)};
  }
  return {most_rows, divide_up(op.n_tokens * group, most_rows)};
}

/// Blocks that a tile's tokens may see together.
std::uint32_t blocks_of(const Attention& op) {
  std::uint32_t n_seen = op.max_context;
  if (op.window > 0) n_seen = std::min(n_seen, op.window + op.n_tokens);
  return n_seen / kBlock + 2;
}

/// What one invocation's loops take for each block of positions, at most.
std::uint64_t block_iterations(const Attention& op) {
  const std::uint32_t chunks = divide_up(op.cache.head_dim, 32) * 4;
  if (is_tiled(op)) {
    // Slices of the head with their loads and steps, weights of a row, slices of the values.
    const std::uint32_t keys = kBlock * 36 / (chunks * 8) / 4 * 4;
    const std::uint32_t slices = chunks / 4 * (1 + 2 + 8);
    const std::uint32_t values = divide_up(kBlock, keys) * (2 + keys * chunks / 128 + keys / 4);
    return 1 + slices + kBlock / 2 + values;
  }
  // Passes over keys and their chunks, over values, and subgroups of four for each row.
  constexpr std::uint32_t kSubgroups = kMostRows * kBlock / 4;
  const std::uint32_t keys = 4 * (1 + chunks / kKeyLanes);
  return 1 + keys + chunks + kSubgroups;
}

/// And once: rotation.glsl, the sums of rows, of a cluster's splits and of clusters.
std::uint64_t other_iterations(const Attention& op) {
  constexpr std::uint64_t kJoin =
      2 * (std::uint64_t{2} * kFanIn + std::uint64_t{kMaxHeadDim / kBlock} * (2 + kFanIn / 4));
  return is_tiled(op) ? kTileRows * (kTiledHeadStages + kJoin)
                      : kMostRows * (kMostHeadStages + kJoin + kMaxHeadDim);
}

/// Loads that an invocation has under way at once, of eight elements each.
std::uint32_t default_loads(CacheType type) {
  return type == CacheType::kF32 ? 4 : 8;
}

/// Workgroups that keep any device's memory busy; there is no asking how many a device runs at
/// once.
///
/// By Little's law a memory of 4.8 TB/s that answers after some 0.8 µs is busy while 4 MB are under
/// way. A workgroup has 64 invocations · 8 loads · 16 bytes = 8 KiB of an f16 cache under way while
/// it loads, which is about half of its time; the scores, their softmax and the sums are the other
/// half: 1,024 workgroups. Of an f32 cache it is 4 loads of 32 bytes and as many workgroups;
/// quantized ones have loads of 8 and 4 bytes and want twice and four times as many. (The widest
/// cards run 4,000 workgroups of such registers at once.) A narrower device wants fewer, and loses
/// the join of more splits than it needs: of each row as much as two positions' keys and values in
/// f16, where a split has kLeastBlocks · kBlock = 128 positions or more.
std::uint32_t busy_groups(CacheType type) {
  constexpr std::uint64_t kUnderWay = std::uint64_t{4} << 20;
  const std::uint64_t load_bytes = cache_row_bytes(type, 32) / 4;  // rounded: without the scale's
  return static_cast<std::uint32_t>(2 * kUnderWay / (load_bytes * kBlock * default_loads(type)));
}

/// Splits of the context: as many as keep a device busy, if there are blocks enough; and so many
/// that none comes near the loop limit. The scratch memory they take is bounded by the workgroups:
/// n_splits · groups is no more than busy_groups() + groups, of kMostRows rows each.
std::uint32_t splits_of(const Attention& op) {
  const std::uint32_t groups = tiles_of(op, kMostRows).count * op.cache.n_kv_heads;
  // Tiles compute, rather than load.
  const std::uint32_t busy = is_tiled(op) ? 512 : busy_groups(op.cache.type);
  const std::uint32_t blocks = blocks_of(op);
  const std::uint64_t room = kMaxLoopIterations - other_iterations(op);
  const auto least = static_cast<std::uint32_t>(blocks * block_iterations(op) / room + 1);
  const std::uint32_t wished = std::min(divide_up(busy, groups), divide_up(blocks, kLeastBlocks));
  assert(least <= kFanIn);
  return std::clamp(wished, least, kMostSplits);
}

/// Of the addresses of keys and values.
constexpr DeviceAddress kCacheAlignment = 16;

/// Constants of kernels that work on heads, in the order of their ids.
std::vector<std::uint32_t> head_constants(std::uint32_t head_dim, std::uint32_t page_tokens) {
  return {head_dim, page_tokens};
}

std::string loads_name(CacheType type) {
  return kernel_name("attention_vec", block_type(type)) + ".loads";
}

/// A model's own: a number that suits one may cost another a dispatch a layer.
std::string rows_name(std::uint32_t group) {
  return "attention_vec.rows_of_" + std::to_string(group);
}

/// Of attention_vec's kernels for a tile of so many rows. Registers hold the loads under way, of
/// eight elements each, beside the rows' sums: fewer where either is wide. A software driver has no
/// loads to wait for, and compiles what is unrolled for long. Numbers of the tuning:
/// "attention_vec_q8_0.loads" (1 to 16), of tiles of one or two rows.
std::vector<std::uint32_t> vec_constants(const DeviceInfo& device,
                                         const Tuning& tuning,
                                         CacheType type,
                                         const HeadShape& heads,
                                         std::uint32_t rows,
                                         bool stores) {
  std::uint32_t loads = 1;
  if (device.type != DeviceType::kSoftware) {
    const std::uint32_t bytes = type == CacheType::kF32 ? 2 : 1;
    loads = rows > 2 ? 4 / bytes : tuning.value(loads_name(type), default_loads(type));
    assert(loads > 0 && loads <= 16);
  }
  const std::uint32_t chunks = divide_up(heads.head_dim, 8);
  // Of each invocation's chunks of a key as many as share them out evenly, then of further keys.
  const std::uint32_t lane_chunks = divide_up(chunks, kKeyLanes);
  const std::uint32_t most_chunks = std::min({loads, lane_chunks, rows > 2 ? 2U : 4U});
  const std::uint32_t chunks_together = divide_up(lane_chunks, divide_up(lane_chunks, most_chunks));
  const std::uint32_t most_keys = rows > 2 ? 1 : 4;
  const std::uint32_t keys_together = std::bit_floor(std::min(loads / chunks_together, most_keys));
  const std::uint32_t passes = divide_up(kBlock, kBlock / chunks);
  const std::uint32_t values_together = divide_up(passes, divide_up(passes, loads));
  return {heads.head_dim,
          heads.page_tokens,
          rows,
          keys_together,
          chunks_together,
          values_together,
          stores ? 1U : 0U};
}

}  // namespace

std::vector<Knob> attention_knobs(CacheType type, std::uint32_t group) {
  const std::uint32_t loads = default_loads(type);
  std::vector<Knob> knobs = {{loads_name(type), {loads, loads * 2, loads / 2}}};
  // Those that cut a group otherwise.
  std::vector<std::uint32_t> rows = {kMostRows};
  for (const std::uint32_t most : {kMostRows / 2, kMostRows / 4}) {
    if (rows_of(group, most) != rows_of(group, rows.back())) rows.push_back(most);
  }
  if (rows.size() > 1) knobs.push_back({rows_name(group), rows});
  return knobs;
}

std::uint32_t attention_rows(const DeviceInfo& device,
                             const Tuning& tuning,
                             std::uint32_t forced,
                             std::uint32_t group) {
  assert(forced <= kMostRows);
  if (forced > 0) return forced;
  // A software driver compiles eight for seconds.
  if (device.type == DeviceType::kSoftware) return 2;
  return std::clamp(tuning.value(rows_name(group), kMostRows), 1U, kMostRows);
}

void add_attention_kernels(const DeviceInfo& device,
                           const Formats& formats,
                           const Tiling& tiling,
                           std::vector<KernelUse>& uses) {
  for (const char* name : {"head_rms_norm", "rope_interleaved", "rope_neox"})
    uses.push_back({name});
  for (const HeadShape& heads : formats.heads) {
    const std::uint32_t most_rows =
        attention_rows(device, formats.tuning, formats.attention_rows, heads.group);
    assert(heads.head_dim > 0 && heads.head_dim <= kMaxHeadDim);
    assert(heads.group > 0 && heads.page_tokens > 0 && heads.page_tokens % 8 == 0);
    for (const CacheType type : formats.caches) {
      uses.push_back({kernel_name("rope_store", block_type(type)),
                      {head_constants(heads.head_dim, heads.page_tokens)}});
      TilePath path =
          tile_path(device, tiling, formats.product_path, type, heads.head_dim, heads.page_tokens);
      uses.push_back(
          {kernel_name(path.operation, block_type(type)), std::move(path.specialization)});
      const auto use_vec = [&](std::uint32_t rows, bool stores) {
        uses.push_back({kernel_name("attention_vec", block_type(type)),
                        {vec_constants(device, formats.tuning, type, heads, rows, stores)}});
      };
      const std::uint32_t rows = rows_of(heads.group, most_rows);
      use_vec(rows, false);
      use_vec(most_rows, false);
      if (rows == heads.group) use_vec(rows, true);
    }
  }
}

Traffic traffic(const HeadRmsNorm& op) {
  const std::uint64_t n = std::uint64_t{op.n_tokens} * op.n_heads * op.head_dim;
  return {(n + op.head_dim) * sizeof(float), n * sizeof(float), 4 * n};
}

Traffic traffic(const Rope& op) {
  const std::uint64_t n = std::uint64_t{op.n_tokens} * op.n_heads * op.n_rotated;
  const std::uint64_t table = std::uint64_t{op.n_tokens} * op.n_rotated;
  return {(n + table) * sizeof(float), n * sizeof(float), 3 * n};
}

void Operations::head_rms_norm(Stream& stream, const HeadRmsNorm& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.head_dim > 0 && op.n_heads > 0 && op.n_heads * op.head_dim <= op.row_stride);
  const std::uint64_t passes = divide_up(op.head_dim, kHeadWorkgroup);
  stream.dispatch(pipeline("head_rms_norm"),
                  HeadRmsNormPush{op.heads, op.weight, op.head_dim, op.row_stride, op.epsilon},
                  {op.n_heads, op.n_tokens, 1},
                  2 * passes + kHeadWorkgroup,
                  traffic(op));
}

void Operations::rope_neox(Stream& stream, const Rope& op) const {
  rope(stream, "rope_neox", op);
}

void Operations::rope_interleaved(Stream& stream, const Rope& op) const {
  rope(stream, "rope_interleaved", op);
}

void Operations::rope(Stream& stream, std::string_view kernel, const Rope& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.n_rotated > 0 && op.n_rotated % 2 == 0 && op.n_rotated <= op.head_dim);
  assert(op.n_heads * op.head_dim <= op.row_stride);
  stream.dispatch(
      pipeline(kernel),
      RopePush{
          op.heads, op.positions, op.table, op.n_heads, op.head_dim, op.n_rotated, op.row_stride},
      {divide_up(op.n_heads * (op.n_rotated / 2), kElementwise), op.n_tokens, 1},
      0,
      traffic(op));
}

namespace {

/// Of keys and values: read, turned, stored.
Traffic traffic_of_new(const RopeStore& op) {
  const std::uint64_t n = op.n_tokens;
  const std::uint64_t rows = n * 2 * op.cache.n_kv_heads;
  return {rows * op.cache.head_dim * sizeof(float) + n * op.n_rotated * sizeof(float),
          rows * cache_row_bytes(op.cache.type, op.cache.head_dim),
          n * op.cache.n_kv_heads * op.n_rotated * 3};
}

}  // namespace

Traffic traffic(const RopeStore& op) {
  const std::uint64_t n = op.n_tokens;
  const std::uint64_t turned = op.n_rotated > 0 ? n * op.n_heads : 0;
  const std::uint64_t bytes = turned * op.cache.head_dim * sizeof(float);
  return traffic_of_new(op) + Traffic{bytes, bytes, turned * op.n_rotated * 3};
}

void Operations::rope_store(Stream& stream, const RopeStore& op) const {
  const PagedCache& cache = op.cache;
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && cache.n_kv_heads > 0);
  assert(op.n_rotated % 2 == 0 && op.n_rotated <= cache.head_dim);
  assert(std::max(op.n_heads, cache.n_kv_heads) * cache.head_dim <= op.row_stride);
  assert((cache.keys | cache.values) % kCacheAlignment == 0);
  const bool is_neox = op.style == RopeStyle::kNeox;
  // Queries that nothing happens to stay where they are.
  const bool has_queries = op.n_rotated > 0 || op.query_norm != 0;
  const std::uint32_t n_heads = has_queries ? op.n_heads : 0;
  stream.dispatch(pipeline(kernel_name("rope_store", block_type(cache.type)),
                           {head_constants(cache.head_dim, cache.page_tokens)}),
                  RopeStorePush{op.queries,
                                op.keys,
                                op.values,
                                op.query_norm,
                                op.key_norm,
                                op.positions,
                                op.table,
                                cache.pages,
                                cache.keys,
                                cache.values,
                                n_heads,
                                cache.n_kv_heads,
                                op.row_stride,
                                cache.page_stride,
                                op.n_rotated,
                                is_neox ? 1 : 2U,
                                is_neox ? op.n_rotated / 2 : 1,
                                op.norm_epsilon},
                  {n_heads + 2 * cache.n_kv_heads, op.n_tokens, 1},
                  kMostHeadStages + kHeadWorkgroup + 5 * (kMaxHeadDim / kHeadWorkgroup),
                  traffic(op));
}

namespace {

/// What so many splits leave to be joined.
std::uint64_t partial_bytes(const Attention& op, std::uint32_t n_splits) {
  if (n_splits == 1) return 0;
  return std::uint64_t{op.n_tokens} * op.n_heads * n_splits * (op.cache.head_dim + 2) *
         sizeof(float);
}

/// As kernels/attention.glsl cuts what is seen: the others end at once.
std::uint32_t splits_with_work(const Attention& op, std::uint64_t n_seen) {
  const auto blocks = divide_up(static_cast<std::uint32_t>(n_seen), kBlock);
  return divide_up(blocks, std::max(kLeastBlocks, divide_up(blocks, splits_of(op))));
}

}  // namespace

std::uint64_t attention_scratch_bytes(const Attention& op) {
  return partial_bytes(op, splits_of(op));
}

std::uint32_t attention_counters(const Attention& op) {
  // A tile's splits, and its clusters of kFanIn: were tiles of one row, and splits as many as keep
  // a device busy, or a few more (splits_of()).
  return 3 * op.n_tokens * op.n_heads + kMostRows * busy_groups(CacheType::kQ4_0) / kFanIn;
}

Traffic traffic(const Attention& op) {
  const std::uint64_t n = op.n_tokens;
  const std::uint64_t sequences = op.cache.page_stride > 0 ? n : 1;
  const std::uint64_t before = sequences > 1 ? 0 : n - 1;  // positions that the first does not see
  const std::uint32_t n_positions = op.n_positions > 0 ? op.n_positions : op.max_context;
  const std::uint64_t longest = op.window > 0 ? std::min(n_positions, op.window) : n_positions;
  // Each sees one more than the one before it, or as many where there is a window.
  const std::uint64_t scores = op.window > 0 ? n * longest : n * longest - n * before / 2;
  const std::uint64_t positions = std::min<std::uint64_t>(n_positions, longest + before);
  const std::uint64_t row = cache_row_bytes(op.cache.type, op.cache.head_dim);
  const std::uint64_t head_bytes = std::uint64_t{op.n_heads} * op.cache.head_dim * sizeof(float);
  const std::uint64_t scratch = partial_bytes(op, splits_with_work(op, positions));
  return {n * head_bytes + sequences * positions * op.cache.n_kv_heads * 2 * row + scratch,
          n * head_bytes + scratch,
          scores * op.n_heads * op.cache.head_dim * 4};
}

std::uint32_t Operations::rows_of_tiles(std::uint32_t group) const {
  return attention_rows(device_->info(), tuning_, attention_rows_, group);
}

bool Operations::can_store_and_attend(const RopeStore& store, const Attention& op) const {
  const std::uint32_t group = op.n_heads / op.cache.n_kv_heads;
  const bool is_token_a_tile = op.n_tokens == 1 || op.cache.page_stride > 0;
  const auto is_behind = [&](DeviceAddress heads) {
    return heads >= store.queries && (heads - store.queries) / sizeof(float) < op.row_stride;
  };
  return is_token_a_tile && rows_of(group, rows_of_tiles(group)) == group &&
         store.query_norm == 0 && store.key_norm == 0 && is_behind(store.keys) &&
         is_behind(store.values) && store.queries == op.queries && store.n_heads == op.n_heads &&
         store.row_stride == op.row_stride;
}

void Operations::store_and_attend(Stream& stream,
                                  const RopeStore& store,
                                  const Attention& op) const {
  assert(can_store_and_attend(store, op));
  attend(stream, op, &store);
}

void Operations::attention(Stream& stream, const Attention& op) const {
  attend(stream, op, nullptr);
}

const Pipeline& Operations::tile_pipeline(const PagedCache& cache) const {
  const TilePath path = tile_path(
      device_->info(), tiling_, product_path_, cache.type, cache.head_dim, cache.page_tokens);
  return pipeline(kernel_name(path.operation, block_type(cache.type)), path.specialization);
}

void Operations::attend(Stream& stream, const Attention& op, const RopeStore* store) const {
  const PagedCache& cache = op.cache;
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.max_context > 0 && cache.head_dim > 0 && cache.head_dim <= kMaxHeadDim);
  assert(cache.n_kv_heads > 0 && op.n_heads % cache.n_kv_heads == 0);
  assert((cache.keys | cache.values) % kCacheAlignment == 0);
  const QueryTiles tiles = tiles_of(op, rows_of_tiles(op.n_heads / cache.n_kv_heads));
  const std::uint32_t n_splits = splits_of(op);
  assert(n_splits == 1 || (op.scratch != 0 && op.counters != 0));
  assert(tiles.count * cache.n_kv_heads * (1 + divide_up(n_splits, kFanIn)) <=
         attention_counters(op));
  const Pipeline& kernel =
      is_tiled(op)
          ? tile_pipeline(cache)
          : pipeline(kernel_name("attention_vec", block_type(cache.type)),
                     {vec_constants(device_->info(),
                                    tuning_,
                                    cache.type,
                                    {.head_dim = cache.head_dim, .page_tokens = cache.page_tokens},
                                    tiles.rows,
                                    store != nullptr)});
  AttentionPush push = {op.queries,
                        op.positions,
                        cache.pages,
                        cache.keys,
                        cache.values,
                        op.scratch,
                        op.counters,
                        op.output,
                        op.n_tokens,
                        cache.n_kv_heads,
                        op.n_heads / cache.n_kv_heads,
                        op.row_stride,
                        cache.page_stride,
                        op.window,
                        op.scale,
                        op.soft_cap};
  Traffic cost = traffic(op);
  if (store != nullptr) {
    const bool is_neox = store->style == RopeStyle::kNeox;
    const auto offset = [&](DeviceAddress heads) {
      return static_cast<std::uint32_t>((heads - store->queries) / sizeof(float));
    };
    push.table = store->table;
    push.key_offset = offset(store->keys);
    push.value_offset = offset(store->values);
    push.n_rotated = store->n_rotated;
    push.pair_step = is_neox ? 1 : 2;
    push.pair_offset = is_neox ? store->n_rotated / 2 : 1;
    cost = cost + traffic_of_new(*store);
  }
  stream.dispatch(kernel,
                  push,
                  {cache.n_kv_heads, n_splits, tiles.count},
                  divide_up(blocks_of(op), n_splits) * block_iterations(op) + other_iterations(op),
                  cost);
}

}  // namespace kinglet::vulkan
