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

Groups elementwise_groups(const Elementwise& op) {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  return {divide_up(op.n_columns, kElementwise), op.n_tokens, 1};
}

}  // namespace

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
                  0);
}

void Operations::rms_norm(Stream& stream, const RmsNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(pipeline("rms_norm"),
                  RmsNormPush{op.input, op.weight, op.output, op.n_rows, op.n_columns, op.epsilon},
                  folded(op.n_rows),
                  2 * passes + kNormWorkgroup);
}

void Operations::layer_norm(Stream& stream, const LayerNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(
      pipeline("layer_norm"),
      LayerNormPush{op.input, op.weight, op.bias, op.output, op.n_rows, op.n_columns, op.epsilon},
      folded(op.n_rows),
      3 * passes + std::uint64_t{2} * kNormWorkgroup);
}

void Operations::swiglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "swiglu", op);
}

void Operations::geglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "geglu", op);
}

void Operations::gated_linear(Stream& stream,
                              std::string_view kernel,
                              const GatedLinear& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  stream.dispatch(pipeline(kernel),
                  GatedLinearPush{op.gate_up, op.output, op.n_columns},
                  {divide_up(op.n_columns, kElementwise), op.n_tokens, 1},
                  0);
}

void Operations::gelu(Stream& stream, const Elementwise& op) const {
  stream.dispatch(pipeline("gelu"),
                  GeluPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns)},
                  elementwise_groups(op),
                  0);
}

void Operations::scale(Stream& stream, const Elementwise& op, float factor) const {
  stream.dispatch(
      pipeline("scale"),
      ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), factor},
      elementwise_groups(op),
      0);
}

void Operations::soft_cap(Stream& stream, const Elementwise& op, float cap) const {
  assert(cap > 0);
  stream.dispatch(pipeline("soft_cap"),
                  ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), cap},
                  elementwise_groups(op),
                  0);
}

void Operations::add(Stream& stream, const Add& op) const {
  assert(op.n_elements > 0);
  stream.dispatch(pipeline("add"),
                  AddPush{op.a, op.b, op.output, op.n_elements},
                  folded(divide_up(op.n_elements, kElementwise)),
                  0);
}

}  // namespace kinglet::vulkan
