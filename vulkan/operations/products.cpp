#include "vulkan/operations/products.h"

#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct LowRankAddPush {
  DeviceAddress weights, input, output;
  std::uint32_t n_rows, n_columns, output_stride;
  float scale;
};
#pragma pack(pop)

}  // namespace

void add_product_kernels(const DeviceInfo& device,
                         const Formats& formats,
                         std::vector<KernelUse>& uses) {
  uses.push_back({"low_rank_add"});
  add_vec_kernels(device, formats, uses);
}

Traffic traffic(const Products& op) {
  const bool gated = is_gated(op.store);
  const std::uint64_t n_tokens = op.n_tokens;
  const std::uint64_t n_columns = op.parts[0].weights.n_columns;
  Traffic sum;
  sum.read = n_tokens * n_columns * sizeof(float);
  if (op.norm_weight != 0) {
    sum.read += n_columns * sizeof(float);
    sum.flops += 4 * n_tokens * n_columns;  // a square, a sum, the weight, the factor
  }
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    const Products::Part& part = op.parts.at(i);
    const std::uint64_t n_rows = part.weights.n_rows;
    sum.read += n_rows * row_bytes(part.weights);
    if (part.bias != 0) sum.read += n_rows * sizeof(float);
    sum.flops += 2 * n_tokens * n_rows * n_columns;
    // Gates and ups become one output.
    const std::uint64_t n_written = gated && op.n_parts == 1 ? n_rows / 2 : n_rows;
    if (gated && i > 0) continue;
    sum.written += n_tokens * n_written * sizeof(float);
    if (op.store == Store::kAdd) sum.read += n_tokens * n_written * sizeof(float);
  }
  return sum;
}

void Operations::products(Stream& stream, const Products& op) const {
  if (op.n_tokens <= kMaxVecTokens) return products_vec(stream, op);
  products_tiled(stream, op);
}

void Operations::mul_mat(Stream& stream, const MulMat& op) const {
  Products products;
  products.parts[0] = {op.weights, op.bias, op.output, op.output_stride};
  products.input = op.input;
  products.n_tokens = op.n_tokens;
  products.input_stride = op.input_stride;
  this->products(stream, products);
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
