// Products of many tokens, in tiles.
#include <algorithm>
#include <array>
#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in kernels/mul_mat_frame.glsl.
#pragma pack(push, 4)
struct TilePush {
  DeviceAddress weights, ups, bias, ups_bias, input, output;
  std::uint32_t n_rows, n_columns, input_stride, output_stride, n_tokens, split_columns, store;
  float scale;
};
#pragma pack(pop)

constexpr std::uint32_t kJoinWorkgroup = 64;
constexpr std::uint32_t kMaxSplits = 8;
// Splits begin where blocks of every format do; shorter ones would be lost in their sums.
constexpr std::uint32_t kSplitStep = 256;
constexpr std::uint32_t kLeastSplitColumns = 512;

std::uint32_t n_tiles(const TileShape& shape, std::uint32_t n_lines, std::uint32_t n_tokens) {
  return divide_up(n_lines, shape.lines) * divide_up(n_tokens, shape.tokens);
}

/// The largest shape that neither wastes half of its tokens nor leaves the device half idle.
const TileShape& choose(const Tiles& tiles, std::uint32_t n_lines, std::uint32_t n_tokens) {
  const std::vector<TileShape>& shapes = tiles.shapes;
  std::size_t chosen = 0;
  while (chosen + 1 < shapes.size() &&
         (n_tokens > shapes[chosen].tokens || shapes[chosen + 1].tokens == shapes[chosen].tokens) &&
         n_tiles(shapes[chosen + 1], n_lines, n_tokens) * 2 >= tiles.wanted_groups) {
    ++chosen;
  }
  return shapes[chosen];
}

/// How a product is computed: the path asked for, where device and block format can take it.
ProductPath tiled_path(const DeviceInfo& device,
                       const Tiling& tiling,
                       ProductPath path,
                       WeightType type) {
  const bool has_dots = device.optional.integer_dot_product && block_elements(type) > 1;
  const bool has_halves = device.optional.float16_arithmetic;
  const bool has_matrices = !tiling.matrices.shapes.empty();
  switch (path) {
    case ProductPath::kFloat:
      return path;
    case ProductPath::kHalf:
      return has_halves ? path : ProductPath::kFloat;
    case ProductPath::kIntegerDot:
      return has_dots ? path : ProductPath::kFloat;
    case ProductPath::kMatrix:
      return has_matrices ? path : ProductPath::kFloat;
    case ProductPath::kAuto:
      break;
  }
  // A software driver converts each half to a float and back.
  if (device.type == DeviceType::kSoftware) return ProductPath::kFloat;
  if (has_matrices) return ProductPath::kMatrix;
  return has_halves ? ProductPath::kHalf : ProductPath::kFloat;
}

/// What the paths differ in.
struct Way {
  std::string_view operation;  // of the kernels' names
  const Tiles* tiles;
};
Way way_of(const Tiling& tiling, ProductPath path) {
  switch (path) {
    case ProductPath::kHalf:
      return {"mul_mat_half", &tiling.halves};
    case ProductPath::kIntegerDot:
      return {"mul_mat_dot", &tiling.dots};
    case ProductPath::kMatrix:
      return {"mul_mat_matrix", &tiling.matrices};
    case ProductPath::kAuto:
    case ProductPath::kFloat:
      break;
  }
  return {"mul_mat", &tiling.floats};
}

Specialization specialization(const DeviceInfo& device, ProductPath path, const TileShape& shape) {
  return path == ProductPath::kMatrix ? shape.matrix_specialization(device)
                                      : shape.specialization();
}

/// Rounds of the loops of one invocation whose count is long or not known: over the columns, a
/// tile's loads and its depth, the results.
std::uint64_t iterations(const DeviceInfo& device,
                         ProductPath path,
                         const TileShape& shape,
                         std::uint32_t n_columns) {
  const std::uint64_t steps = divide_up(n_columns, shape.depth);
  if (path != ProductPath::kMatrix) {
    return steps * (1 + shape.depth / 4) + std::uint64_t{shape.token_sums} * (shape.line_sums + 1);
  }
  const std::uint32_t invocations = shape.workgroup() * device.matrix_subgroup_size;
  const std::uint64_t loads = divide_up(shape.lines * shape.depth / 4, invocations) +
                              divide_up(shape.tokens * shape.depth / 4, invocations);
  const std::uint64_t results = std::uint64_t{shape.line_sums} * shape.token_sums;
  return steps * (1 + loads + shape.depth / device.matrix.k) +
         results / device.matrix_subgroup_size + shape.line_sums;
}

/// What storing the results moves.
Traffic stored(const TilePush& push, Store store) {
  const std::uint64_t bytes = std::uint64_t{push.n_tokens} * push.n_rows * sizeof(float);
  const std::uint64_t n_biases = (push.bias != 0 ? 1 : 0) + (push.ups_bias != 0 ? 1 : 0);
  return {(store == Store::kAdd ? bytes : 0) + n_biases * push.n_rows * sizeof(float), bytes, 0};
}

/// What one part's kernel is told, but for how its columns are split.
TilePush push_of(const Products& op, const Products::Part& part) {
  const Matrix& weights = part.weights;
  TilePush push = {};
  push.weights = weights.address;
  push.bias = part.bias;
  push.input = op.input;
  push.output = part.output;
  push.n_rows = weights.n_rows;
  push.n_columns = weights.n_columns;
  if (is_gated(op.store) && op.n_parts == 1) {
    assert(weights.n_rows % 2 == 0);
    push.n_rows = weights.n_rows / 2;
    push.ups = weights.address + push.n_rows * row_bytes(weights);
    push.ups_bias = part.bias == 0 ? 0 : part.bias + push.n_rows * sizeof(float);
  } else if (is_gated(op.store)) {
    const Products::Part& ups = op.parts[1];
    assert(op.n_parts == 2 && ups.weights.type == weights.type &&
           ups.weights.n_rows == weights.n_rows && ups.weights.n_columns == weights.n_columns);
    push.ups = ups.weights.address;
    push.ups_bias = ups.bias;
  }
  push.input_stride = stride_or(op.input_stride, weights.n_columns);
  push.output_stride = stride_or(part.output_stride, push.n_rows);
  push.n_tokens = op.n_tokens;
  push.store = static_cast<std::uint32_t>(op.store);
  push.scale = op.scale;
  return push;
}

}  // namespace

void add_tiled_kernels(const DeviceInfo& device,
                       const Formats& formats,
                       const Tiling& tiling,
                       std::vector<KernelUse>& uses) {
  uses.push_back({"mul_mat_join"});
  for (const WeightType type : formats.weights) {
    const ProductPath path = tiled_path(device, tiling, formats.product_path, type);
    const Way way = way_of(tiling, path);
    for (const TileShape& shape : way.tiles->shapes)
      uses.push_back({kernel_name(way.operation, type), specialization(device, path, shape)});
  }
}

TileKind tile_kind(const DeviceInfo& device, ProductPath path, WeightType type) {
  switch (tiled_path(device, default_tiling(device), path, type)) {
    case ProductPath::kHalf:
      return TileKind::kHalves;
    case ProductPath::kIntegerDot:
      return TileKind::kDots;
    case ProductPath::kMatrix:
      return TileKind::kMatrices;
    default:
      return TileKind::kFloats;
  }
}

void Operations::products_tiled(Stream& stream, const Products& op) const {
  assert(op.n_parts > 0 && op.n_parts <= Products::kMaxParts && op.norm_weight == 0);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  const bool gated = is_gated(op.store);
  struct Join {
    TilePush push;
    Groups groups;
    std::uint32_t n_splits;
    Traffic traffic;
  };
  std::vector<Join> joins;
  std::uint64_t scratch_used = 0;
  for (std::uint32_t i = 0; i < (gated ? 1 : op.n_parts); ++i) {
    const Products::Part& part = op.parts.at(i);
    const Matrix& weights = part.weights;
    check(weights);
    const DeviceInfo& device = device_->info();
    const ProductPath path = tiled_path(device, tiling_, product_path_, weights.type);
    const Way way = way_of(tiling_, path);
    TilePush push = push_of(op, part);
    const std::uint32_t n_lines = gated ? 2 * push.n_rows : push.n_rows;
    const TileShape& shape = choose(*way.tiles, n_lines, op.n_tokens);
    const std::uint32_t tiles = n_tiles(shape, n_lines, op.n_tokens);
    const std::uint64_t sum_bytes = std::uint64_t{n_lines} * op.n_tokens * sizeof(float);
    std::uint32_t splits = 1;
    if (op.scratch != 0) {
      splits =
          std::min({way.tiles->wanted_groups / tiles,
                    kMaxSplits,
                    weights.n_columns / kLeastSplitColumns,
                    static_cast<std::uint32_t>((kSplitScratchBytes - scratch_used) / sum_bytes)});
    }
    push.split_columns =
        divide_up(divide_up(weights.n_columns, std::max(splits, 1U)), kSplitStep) * kSplitStep;
    splits = divide_up(weights.n_columns, push.split_columns);
    if (splits > 1) {
      const DeviceAddress sums = op.scratch + scratch_used;
      scratch_used += splits * sum_bytes;
      Join join = {push, {divide_up(push.n_rows, kJoinWorkgroup), op.n_tokens, 1}, splits, {}};
      join.push.input = sums;
      join.push.input_stride = splits;
      joins.push_back(join);
      push.output = sums;
    }
    Traffic traffic;
    traffic.read = n_lines * row_bytes(weights) +
                   std::uint64_t{op.n_tokens} * weights.n_columns * sizeof(float);
    traffic.flops = std::uint64_t{2} * n_lines * op.n_tokens * weights.n_columns;
    if (splits > 1) {
      traffic.written = splits * sum_bytes;
      joins.back().traffic = stored(push, op.store);
      joins.back().traffic.read += splits * sum_bytes;
    } else {
      traffic = traffic + stored(push, op.store);
    }
    stream.dispatch(
        pipeline(kernel_name(way.operation, weights.type), specialization(device, path, shape)),
        push,
        folded(tiles, splits),
        iterations(device, path, shape, push.split_columns),
        traffic);
  }
  if (joins.empty()) return;
  stream.barrier();
  for (const Join& join : joins)
    stream.dispatch(pipeline("mul_mat_join"), join.push, join.groups, join.n_splits, join.traffic);
}

}  // namespace kinglet::vulkan
