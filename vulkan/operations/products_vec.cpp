// Products for few tokens (kernels/mul_mat_vec.glsl).
#include <algorithm>
#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/products.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct VecPart {
  DeviceAddress weights, bias, output;
  std::uint32_t n_rows, output_stride;
};
struct VecPush {
  std::array<VecPart, Products::kMaxParts> parts;
  DeviceAddress input, norm_weight;
  std::uint32_t shape;  // columns, tokens << 16, store << 24
  std::uint32_t input_stride;
  float epsilon, scale;
};
#pragma pack(pop)
static_assert(sizeof(VecPush) == 128);  // what every device has room for
static_assert(kMaxColumns < 1U << 16U && kMaxVecTokens < 1U << 8U);

/// The kernel's specialization constants.
struct VecShape {
  std::uint32_t workgroup;
  std::uint32_t rows;
  std::uint32_t tokens;
  std::uint32_t slab;  // columns
};

bool is_software(const DeviceInfo& device) {
  return device.type == DeviceType::kSoftware;
}

// Numbers that a tuner may set, of products of one token; the first is the default.
constexpr std::array<std::uint32_t, 3> kSubgroupCounts = {4, 2, 8};
constexpr std::array<std::uint32_t, 3> kRowCounts = {4, 2, 8};
constexpr std::array<std::uint32_t, 3> kSlabs = {2'048, 1'024, 4'096};

std::string vec_kernel_name(bool dot, WeightType type) {
  return kernel_name(dot ? "mul_mat_vec_dot" : "mul_mat_vec", type);
}

std::string number_name(bool dot, WeightType type, std::string_view number) {
  return (vec_kernel_name(dot, type) += '.') += number;
}

/// Whether bytes are faster than floats, where both may be taken: a number, too.
std::string choice_name(WeightType type) {
  return number_name(false, type, "by_dot");
}

bool takes_dot(ProductPath path, const Tuning& tuning, const DeviceInfo& device, WeightType type) {
  const bool is_wished =
      path == ProductPath::kIntegerDot && tuning.value(choice_name(type), 1) != 0;
  return is_wished && device.optional.integer_dot_product && block_elements(type) > 1;
}

// A subgroup's width: 32 where there is a choice, because rows of 3,072 columns have 96 chunks.
// Intel's registers are as many for a subgroup of any width: at 32 there would be too few for each.
std::uint32_t subgroup_size(const DeviceInfo& device) {
  constexpr std::uint32_t kIntel = 0x8086;
  const std::uint32_t wished = device.vendor_id == kIntel ? 16 : 32;
  if (!device.optional.subgroup_size_control) return device.subgroup_size;
  return std::clamp(wished, device.min_subgroup_size, device.max_subgroup_size);
}

// Tiles that a pass over the weights may have. f32 activations of more tokens would not fit shared
// memory; the tiles of one row range are neighbours in the grid.
std::vector<std::uint32_t> token_tiles(const DeviceInfo& device, bool dot) {
  if (is_software(device)) return {1, 4};  // what compiles in no time
  if (dot) return {1, 2, 4, 8};
  return {1, 2, 4};
}

std::uint32_t n_subgroups(const DeviceInfo& device, std::uint32_t wished) {
  constexpr std::uint32_t kWidest = 256;  // invocations of a workgroup that every GPU can have
  return std::min(wished, std::max(kWidest / subgroup_size(device), 1U));
}

// What kernels/mul_mat_vec_*.glsl declare, at most.
std::uint32_t shared_bytes(const VecShape& shape, bool dot) {
  constexpr std::uint32_t kFloatBytes = 4;
  constexpr std::uint32_t kSpare = 8 * 16;  // a chunk's quads that spread the rest over the banks
  const std::uint32_t slab = dot ? shape.slab * 3 / 2 : shape.slab * kFloatBytes + kSpare;
  return shape.tokens * slab + 2 * shape.workgroup * kFloatBytes;
}

VecShape wished_shape(const DeviceInfo& device,
                      const Tuning& tuning,
                      bool dot,
                      WeightType type,
                      std::uint32_t n_tokens) {
  const auto tiles = token_tiles(device, dot);
  const auto fits = std::ranges::find_if(tiles, [&](std::uint32_t t) { return t >= n_tokens; });
  const std::uint32_t tokens = fits != tiles.end() ? *fits : tiles.back();
  const auto number = [&](std::string_view name, std::uint32_t otherwise) {
    return tuning.value(number_name(dot, type, name), otherwise);
  };
  if (tokens == 1) {
    const std::uint32_t subgroups = n_subgroups(device, number("subgroups", kSubgroupCounts[0]));
    return {subgroups * subgroup_size(device),
            number("rows", is_software(device) ? 2 : kRowCounts[0]),
            tokens,
            number("slab", kSlabs[0])};
  }
  // In shared memory about 16 KiB.
  constexpr std::uint32_t kFloatColumns = 4'096;
  constexpr std::uint32_t kDotColumns = 8'192;
  return {n_subgroups(device, kSubgroupCounts[0]) * subgroup_size(device),
          is_software(device) || tokens > 4 ? 2U : 4U,
          tokens,
          (dot ? kDotColumns : kFloatColumns) / tokens};
}

VecShape vec_shape(const DeviceInfo& device,
                   const Tuning& tuning,
                   bool dot,
                   WeightType type,
                   std::uint32_t n_tokens) {
  constexpr std::uint32_t kLeastSlab = 256;
  VecShape shape = wished_shape(device, tuning, dot, type, n_tokens);
  while (shared_bytes(shape, dot) > device.max_shared_bytes && shape.slab > kLeastSlab)
    shape.slab /= 2;
  return shape;
}

Specialization specialization(const DeviceInfo& device, const VecShape& shape) {
  return {{shape.workgroup, shape.rows, shape.tokens, shape.slab},
          device.optional.subgroup_size_control ? subgroup_size(device) : 0};
}

/// A gated store's one matrix, gates first, as two.
Products in_halves(const Products& op) {
  Products halves = op;
  Products::Part& gates = halves.parts[0];
  assert(gates.weights.n_rows % 2 == 0);
  gates.weights.n_rows /= 2;
  halves.parts[1] = gates;
  halves.parts[1].weights.address += gates.weights.n_rows * row_bytes(gates.weights);
  if (gates.bias != 0) halves.parts[1].bias += gates.weights.n_rows * sizeof(float);
  halves.n_parts = 2;
  return halves;
}

void check(const Products& op) {
  assert(op.n_parts > 0 && op.n_parts <= Products::kMaxParts);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxVecTokens);
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    [[maybe_unused]] const Matrix& matrix = op.parts.at(i).weights;
    check(matrix);
    assert(matrix.n_columns == op.parts[0].weights.n_columns);
    if (block_elements(matrix.type) == 1) continue;
    assert(op.input % kMatrixAlignment == 0 && op.norm_weight % kMatrixAlignment == 0);
    assert(op.input_stride * sizeof(float) % kMatrixAlignment == 0);
  }
  if (!is_gated(op.store)) return;
  assert(op.n_parts == 2 && op.parts[0].weights.type == op.parts[1].weights.type);
  assert(op.parts[0].weights.n_rows == op.parts[1].weights.n_rows);
}

// What one invocation's loops take; those over rows, tokens and quads are unrolled.
std::uint64_t iterations(const DeviceInfo& device, const VecShape& shape, std::uint32_t n_columns) {
  constexpr std::uint32_t kLeastChunk = 4;
  const std::uint64_t lanes = std::min(device.min_subgroup_size, shape.workgroup);
  const std::uint64_t slabs = divide_up(n_columns, shape.slab);
  const std::uint64_t fills =
      std::uint64_t{shape.tokens} * (shape.slab / kLeastChunk / shape.workgroup + 1);
  const std::uint64_t chunks = shape.slab / kLeastChunk / lanes + 1;
  const std::uint64_t stores = std::uint64_t{shape.rows} * shape.tokens / lanes + 1;
  const std::uint64_t squares = std::uint64_t{shape.tokens} * (shape.workgroup / lanes);
  return slabs * (2 + fills + chunks) + squares + stores;
}

}  // namespace

std::vector<Knob> vec_knobs(const DeviceInfo& device, WeightType type, bool dot) {
  const auto knob = [&](std::string_view number, std::span<const std::uint32_t> values) {
    return Knob{number_name(dot, type, number), {values.begin(), values.end()}};
  };
  std::vector<Knob> knobs = {
      knob("rows", kRowCounts), knob("subgroups", kSubgroupCounts), knob("slab", kSlabs)};
  if (is_software(device)) std::swap(knobs[0].values[0], knobs[0].values[1]);
  return knobs;
}

std::optional<Knob> dot_knob(const DeviceInfo& device, WeightType type) {
  if (!device.optional.integer_dot_product || block_elements(type) == 1) return std::nullopt;
  return Knob{choice_name(type), {1, 0}};
}

void add_vec_kernels(const DeviceInfo& device,
                     const Formats& formats,
                     std::vector<KernelUse>& uses) {
  for (const WeightType type : formats.weights) {
    const bool dot = takes_dot(formats.product_path, formats.tuning, device, type);
    for (const std::uint32_t tokens : token_tiles(device, dot)) {
      uses.push_back(
          {vec_kernel_name(dot, type),
           specialization(device, vec_shape(device, formats.tuning, dot, type, tokens))});
    }
  }
}

void Operations::products_vec(Stream& stream, const Products& op) const {
  if (is_gated(op.store) && op.n_parts == 1) return products_vec(stream, in_halves(op));
  check(op);
  const DeviceInfo& device = device_->info();
  const std::uint32_t n_columns = op.parts[0].weights.n_columns;
  std::uint32_t done = 0;  // parts, a bit each
  for (std::uint32_t first = 0; first < op.n_parts; ++first) {
    if ((done >> first & 1U) != 0) continue;
    const WeightType type = op.parts.at(first).weights.type;
    const bool dot = takes_dot(product_path_, tuning_, device, type);
    const VecShape shape = vec_shape(device, tuning_, dot, type, op.n_tokens);
    // With the fewest subgroups that a workgroup may have; the kernel knows how many there are.
    const std::uint32_t widest =
        device.optional.subgroup_size_control ? subgroup_size(device) : device.max_subgroup_size;
    const std::uint32_t subgroups = std::max(shape.workgroup / widest, 1U);
    const std::uint32_t group_rows = subgroups * shape.rows / (is_gated(op.store) ? 2 : 1);
    VecPush push = {};
    push.input = op.input;
    push.norm_weight = op.norm_weight;
    push.shape = n_columns | op.n_tokens << 16U | static_cast<std::uint32_t>(op.store) << 24U;
    push.input_stride = stride_or(op.input_stride, n_columns);
    push.epsilon = op.norm_epsilon;
    push.scale = op.scale;
    Products dispatched = op;  // its part of it
    dispatched.n_parts = 0;
    std::uint32_t n_groups = 0;
    for (std::uint32_t i = first; i < op.n_parts; ++i) {
      const Products::Part& part = op.parts.at(i);
      if (part.weights.type != type) continue;
      done |= 1U << i;
      const std::uint32_t n_rows = part.weights.n_rows;
      push.parts.at(dispatched.n_parts) = {part.weights.address,
                                           part.bias,
                                           part.output,
                                           n_rows,
                                           stride_or(part.output_stride, n_rows)};
      dispatched.parts.at(dispatched.n_parts++) = part;
      // Ups are computed with their gates.
      if (!is_gated(op.store) || i == 0) n_groups += divide_up(n_rows, group_rows);
    }
    stream.dispatch(pipeline(vec_kernel_name(dot, type), specialization(device, shape)),
                    push,
                    folded(n_groups * divide_up(op.n_tokens, shape.tokens)),
                    iterations(device, shape, n_columns),
                    traffic(dispatched));
  }
}

}  // namespace kinglet::vulkan
