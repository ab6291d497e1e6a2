#include "vulkan/operations/products.h"

#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct MulMatPush {
  DeviceAddress weights, bias, input, output;
  std::uint32_t n_rows, n_columns, input_stride, output_stride, n_tokens;
};
struct LowRankAddPush {
  DeviceAddress weights, input, output;
  std::uint32_t n_rows, n_columns, output_stride;
  float scale;
};
#pragma pack(pop)

// The constants of the kernels' files of the same names.
constexpr std::uint32_t kTile = 32;
constexpr std::uint32_t kDepth = 32;
constexpr std::uint32_t kTileLoads = 4;

}  // namespace

void add_product_kernels(const DeviceInfo& device,
                         const Formats& formats,
                         std::vector<KernelUse>& uses) {
  uses.push_back({"low_rank_add"});
  for (const WeightType type : formats.weights)
    uses.push_back({kernel_name("mul_mat", type)});
  add_vec_kernels(device, formats, uses);
}

std::uint64_t mul_mat_work(const MulMat& op) {
  const std::uint64_t n_tokens =
      op.n_tokens <= kMaxVecTokens ? op.n_tokens : divide_up(op.n_tokens, kTile) * kTile;
  return n_tokens * op.weights.n_rows * op.weights.n_columns;
}

void Operations::products(Stream& stream, const Products& op) const {
  if (op.n_tokens <= kMaxVecTokens) return products_vec(stream, op);
  assert(op.store == Store::kPlain && op.scale == 1 && op.norm_weight == 0);
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    const Products::Part& part = op.parts.at(i);
    mul_mat_tiled(stream,
                  {part.weights,
                   op.input,
                   part.output,
                   op.n_tokens,
                   op.input_stride,
                   part.output_stride,
                   part.bias});
  }
}

void Operations::mul_mat(Stream& stream, const MulMat& op) const {
  Products products;
  products.parts[0] = {op.weights, op.bias, op.output, op.output_stride};
  products.input = op.input;
  products.n_tokens = op.n_tokens;
  products.input_stride = op.input_stride;
  this->products(stream, products);
}

void Operations::mul_mat_tiled(Stream& stream, const MulMat& op) const {
  check(op.weights);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  const std::uint64_t passes = divide_up(op.weights.n_columns, kDepth);
  stream.dispatch(pipeline(kernel_name("mul_mat", op.weights.type)),
                  MulMatPush{op.weights.address,
                             op.bias,
                             op.input,
                             op.output,
                             op.weights.n_rows,
                             op.weights.n_columns,
                             stride_or(op.input_stride, op.weights.n_columns),
                             stride_or(op.output_stride, op.weights.n_rows),
                             op.n_tokens},
                  folded(divide_up(op.weights.n_rows, kTile), divide_up(op.n_tokens, kTile)),
                  // The loops inside carry [[unroll]], except those over the loads and the depth.
                  passes * (1 + kTileLoads + kDepth));
}

void Operations::low_rank_add(Stream& stream, const LowRankAdd& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_rows > 0 && op.n_columns > 0);
  stream.dispatch(pipeline("low_rank_add"),
                  LowRankAddPush{op.weights,
                                 op.input,
                                 op.output,
                                 op.n_rows,
                                 op.n_columns,
                                 stride_or(op.output_stride, op.n_rows),
                                 op.scale},
                  {divide_up(op.n_rows, kElementwise), op.n_tokens, 1},
                  op.n_columns);
}

}  // namespace kinglet::vulkan
