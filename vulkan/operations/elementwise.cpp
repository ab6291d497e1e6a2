#include "vulkan/operations/elementwise.h"

#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct GetRowsPush {
  DeviceAddress table, ids, output;
  std::uint32_t n_columns;
};
struct RmsNormPush {
  DeviceAddress input, weight, output;
  std::uint32_t n_rows, n_columns;
  float epsilon;
};
struct LayerNormPush {
  DeviceAddress input, weight, bias, output;
  std::uint32_t n_rows, n_columns;
  float epsilon;
};
struct GatedLinearPush {
  DeviceAddress gate_up, output;
  std::uint32_t n_columns;
};
struct GeluPush {
  DeviceAddress values;
  std::uint32_t n_columns, row_stride;
};
// Of scale and soft_cap: the factor, the cap.
struct ScalarPush {
  DeviceAddress values;
  std::uint32_t n_columns, row_stride;
  float scalar;
};
struct AddPush {
  DeviceAddress a, b, output;
  std::uint32_t n_elements;
};
#pragma pack(pop)

constexpr std::uint32_t kNormWorkgroup = 256;  // as in the kernels

constexpr std::uint64_t kFloat = sizeof(float);

// Arithmetic of one element, a root, an exponential or a hyperbolic tangent being one operation.
constexpr std::uint64_t kRmsNormFlops = 4;  // square, sum; scale, weight
constexpr std::uint64_t kLayerNormFlops =
    8;                                     // sum; center, square, sum; center, scale, weight, bias
constexpr std::uint64_t kSwiGluFlops = 5;  // gate / (1 + exp(-gate)) * up
constexpr std::uint64_t kGeluFlops = 9;
constexpr std::uint64_t kGeGluFlops = kGeluFlops + 1;
constexpr std::uint64_t kScaleFlops = 1;
constexpr std::uint64_t kSoftCapFlops = 3;

Traffic gated_traffic(const GatedLinear& op, std::uint64_t flops) {
  const std::uint64_t n = std::uint64_t{op.n_tokens} * op.n_columns;
  return {2 * n * kFloat, n * kFloat, n * flops};
}

Traffic in_place_traffic(const Elementwise& op, std::uint64_t flops) {
  const std::uint64_t n = std::uint64_t{op.n_tokens} * op.n_columns;
  return {n * kFloat, n * kFloat, n * flops};
}

Groups elementwise_groups(const Elementwise& op) {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  return {divide_up(op.n_columns, kElementwise), op.n_tokens, 1};
}

}  // namespace

Traffic traffic(const GetRows& op) {
  const std::uint64_t n = op.n_tokens;
  return {n * (row_bytes(op.table) + sizeof(std::uint32_t)), n * op.table.n_columns * kFloat, 0};
}

Traffic traffic(const RmsNorm& op) {
  const std::uint64_t n = std::uint64_t{op.n_rows} * op.n_columns;
  return {(n + op.n_columns) * kFloat, n * kFloat, n * kRmsNormFlops};
}

Traffic traffic(const LayerNorm& op) {
  const std::uint64_t n = std::uint64_t{op.n_rows} * op.n_columns;
  const std::uint64_t n_vectors = op.bias != 0 ? 2 : 1;
  return {(n + n_vectors * op.n_columns) * kFloat, n * kFloat, n * kLayerNormFlops};
}

Traffic traffic(const Add& op) {
  const std::uint64_t n = op.n_elements;
  return {2 * n * kFloat, n * kFloat, n};
}

void add_elementwise_kernels(const Formats& formats, std::vector<KernelUse>& uses) {
  for (const char* name :
       {"add", "geglu", "gelu", "layer_norm", "rms_norm", "scale", "soft_cap", "swiglu"}) {
    uses.push_back({name});
  }
  for (const WeightType type : formats.weights)
    uses.push_back({kernel_name("get_rows", type)});
}

void Operations::get_rows(Stream& stream, const GetRows& op) const {
  check(op.table);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  stream.dispatch(pipeline(kernel_name("get_rows", op.table.type)),
                  GetRowsPush{op.table.address, op.ids, op.output, op.table.n_columns},
                  {divide_up(op.table.n_columns, kElementwise), op.n_tokens, 1},
                  0,
                  traffic(op));
}

void Operations::rms_norm(Stream& stream, const RmsNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(pipeline("rms_norm"),
                  RmsNormPush{op.input, op.weight, op.output, op.n_rows, op.n_columns, op.epsilon},
                  folded(op.n_rows),
                  2 * passes + kNormWorkgroup,
                  traffic(op));
}

void Operations::layer_norm(Stream& stream, const LayerNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(
      pipeline("layer_norm"),
      LayerNormPush{op.input, op.weight, op.bias, op.output, op.n_rows, op.n_columns, op.epsilon},
      folded(op.n_rows),
      3 * passes + std::uint64_t{2} * kNormWorkgroup,
      traffic(op));
}

void Operations::swiglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "swiglu", op, gated_traffic(op, kSwiGluFlops));
}

void Operations::geglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "geglu", op, gated_traffic(op, kGeGluFlops));
}

void Operations::gated_linear(Stream& stream,
                              std::string_view kernel,
                              const GatedLinear& op,
                              const Traffic& traffic) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  stream.dispatch(pipeline(kernel),
                  GatedLinearPush{op.gate_up, op.output, op.n_columns},
                  {divide_up(op.n_columns, kElementwise), op.n_tokens, 1},
                  0,
                  traffic);
}

void Operations::gelu(Stream& stream, const Elementwise& op) const {
  stream.dispatch(pipeline("gelu"),
                  GeluPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns)},
                  elementwise_groups(op),
                  0,
                  in_place_traffic(op, kGeluFlops));
}

void Operations::scale(Stream& stream, const Elementwise& op, float factor) const {
  stream.dispatch(
      pipeline("scale"),
      ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), factor},
      elementwise_groups(op),
      0,
      in_place_traffic(op, kScaleFlops));
}

void Operations::soft_cap(Stream& stream, const Elementwise& op, float cap) const {
  assert(cap > 0);
  stream.dispatch(pipeline("soft_cap"),
                  ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), cap},
                  elementwise_groups(op),
                  0,
                  in_place_traffic(op, kSoftCapFlops));
}

void Operations::add(Stream& stream, const Add& op) const {
  assert(op.n_elements > 0);
  stream.dispatch(pipeline("add"),
                  AddPush{op.a, op.b, op.output, op.n_elements},
                  folded(divide_up(op.n_elements, kElementwise)),
                  0,
                  traffic(op));
}

}  // namespace kinglet::vulkan
