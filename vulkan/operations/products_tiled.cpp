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

bool is_gated(Store store) {
  return store == Store::kSwiGlu || store == Store::kGeGlu;
}

std::uint32_t n_tiles(const TileShape& shape, std::uint32_t n_lines, std::uint32_t n_tokens) {
  return divide_up(n_lines, shape.lines) * divide_up(n_tokens, shape.tokens);
}

/// The largest shape that neither wastes half of its tokens nor leaves the device half idle.
const TileShape& choose(const std::vector<TileShape>& shapes,
                        std::uint32_t wanted_groups,
                        std::uint32_t n_lines,
                        std::uint32_t n_tokens) {
  std::size_t chosen = 0;
  while (chosen + 1 < shapes.size() &&
         (n_tokens > shapes[chosen].tokens || shapes[chosen + 1].tokens == shapes[chosen].tokens) &&
         n_tiles(shapes[chosen + 1], n_lines, n_tokens) * 2 >= wanted_groups) {
    ++chosen;
  }
  return shapes[chosen];
}

/// How a product is computed: the path asked for, where device and block format can take it.
ProductPath tiled_path(const DeviceInfo& device, ProductPath path, WeightType type) {
  if (path == ProductPath::kIntegerDot) {
    const bool can = device.optional.integer_dot_product && block_elements(type) > 1;
    return can ? path : ProductPath::kFloat;
  }
  // A software driver converts each half to a float and back.
  const bool is_wished = path == ProductPath::kHalf ||
                         (path == ProductPath::kAuto && device.type != DeviceType::kSoftware);
  return is_wished && device.optional.float16_arithmetic ? ProductPath::kHalf : ProductPath::kFloat;
}

const std::vector<TileShape>& shapes_of(const Tiling& tiling, ProductPath path) {
  if (path == ProductPath::kIntegerDot) return tiling.dots;
  return path == ProductPath::kHalf ? tiling.halves : tiling.floats;
}

std::string tiled_kernel_name(ProductPath path, WeightType type) {
  if (path == ProductPath::kIntegerDot) return kernel_name("mul_mat_dot", type);
  return kernel_name(path == ProductPath::kHalf ? "mul_mat_half" : "mul_mat", type);
}

/// What storing the results moves.
Traffic stored(const TilePush& push, Store store) {
  const std::uint64_t bytes = std::uint64_t{push.n_tokens} * push.n_rows * sizeof(float);
  const std::uint64_t n_biases = (push.bias != 0 ? 1 : 0) + (push.ups_bias != 0 ? 1 : 0);
  return {(store == Store::kAdd ? bytes : 0) + n_biases * push.n_rows * sizeof(float), bytes, 0};
}

}  // namespace

void add_tiled_kernels(const DeviceInfo& device,
                       const Formats& formats,
                       const Tiling& tiling,
                       std::vector<KernelUse>& uses) {
  uses.push_back({"mul_mat_join"});
  for (const WeightType type : formats.weights) {
    const ProductPath path = tiled_path(device, formats.product_path, type);
    for (const TileShape& shape : shapes_of(tiling, path))
      uses.push_back({tiled_kernel_name(path, type), shape.specialization()});
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
    const ProductPath path = tiled_path(device_->info(), product_path_, weights.type);
    TilePush push = {};
    push.weights = weights.address;
    push.bias = part.bias;
    push.input = op.input;
    push.output = part.output;
    push.n_rows = weights.n_rows;
    push.n_columns = weights.n_columns;
    if (gated && op.n_parts == 1) {
      assert(weights.n_rows % 2 == 0);
      push.n_rows = weights.n_rows / 2;
      push.ups = weights.address + push.n_rows * row_bytes(weights);
      push.ups_bias = part.bias == 0 ? 0 : part.bias + push.n_rows * sizeof(float);
    } else if (gated) {
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

    const std::uint32_t n_lines = gated ? 2 * push.n_rows : push.n_rows;
    const TileShape& shape =
        choose(shapes_of(tiling_, path), tiling_.wanted_groups, n_lines, op.n_tokens);
    const std::uint32_t tiles = n_tiles(shape, n_lines, op.n_tokens);
    const std::uint64_t sum_bytes = std::uint64_t{n_lines} * op.n_tokens * sizeof(float);
    std::uint32_t splits = 1;
    if (op.scratch != 0) {
      splits =
          std::min({tiling_.wanted_groups / tiles,
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
    // Loops of unknown or long count alone: over the columns, a tile's depth, the results.
    const std::uint64_t steps = divide_up(push.split_columns, shape.depth);
    stream.dispatch(
        pipeline(tiled_kernel_name(path, weights.type), shape.specialization()),
        push,
        folded(tiles, splits),
        steps * (1 + shape.depth / 4) + std::uint64_t{shape.token_sums} * (shape.line_sums + 1),
        traffic);
  }
  if (joins.empty()) return;
  stream.barrier();
  for (const Join& join : joins)
    stream.dispatch(pipeline("mul_mat_join"), join.push, join.groups, join.n_splits, join.traffic);
}

}  // namespace kinglet::vulkan
