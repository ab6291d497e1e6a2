// How products are lowered: with the norm before them and what becomes of their sums, and with what
// adapters add to them.
#include <algorithm>
#include <cassert>

#include "inference/cpu/elementwise.h"
#include "inference/cpu/executor.h"

namespace kinglet::inference::cpu {

namespace {

/// The operations of a group that are not its products: what stands before and after them.
struct Around {
  const Op* norm = nullptr;
  const Op* scale = nullptr;
  const Op* last = nullptr;  // a unit, an addition, an activation function
  bool is_known = true;
};

Around around(const Group& group) {
  Around found;
  for (const Op& op : group.ops) {
    switch (op.kind) {
      case OpKind::kMatMul:
        break;
      case OpKind::kRmsNorm:
      case OpKind::kLayerNorm:
        found.is_known &= found.norm == nullptr && &op == &group.ops.front();
        found.norm = &op;
        break;
      case OpKind::kScale:
        found.is_known &= found.scale == nullptr && found.last == nullptr;
        found.scale = &op;
        break;
      case OpKind::kAdd:
      case OpKind::kSwiGlu:
      case OpKind::kGeGlu:
      case OpKind::kGelu:
        found.is_known &= found.last == nullptr && &op == &group.ops.back();
        found.last = &op;
        break;
      default:
        found.is_known = false;
    }
  }
  return found;
}

Ending ending_of(const Op* last) {
  if (last == nullptr) return Ending::kStore;
  switch (last->kind) {
    case OpKind::kAdd:
      return Ending::kAdd;
    case OpKind::kGelu:
      return Ending::kGelu;
    case OpKind::kSwiGlu:
      return Ending::kSwiGlu;
    default:
      assert(last->kind == OpKind::kGeGlu);
      return Ending::kGeGlu;
  }
}

}  // namespace

bool CpuExecutor::can_multiply(const Group& group, std::uint32_t layer) const {
  const std::span<const Op> products = group.products();
  return around(group).is_known &&
         std::none_of(
             products.begin(), products.end(), [&](const Op& op) { return is_adapted(op, layer); });
}

void CpuExecutor::multiply(const Group& group,
                           const Batch& batch,
                           std::uint32_t layer,
                           Range range) {
  const HyperParameters& h = model().hyper_parameters();
  const Around ops = around(group);
  std::vector<Product> products;
  for (const Op& op : group.products()) {
    add_products(op, batch, layer, range, products);
    if (ops.scale != nullptr && ops.scale->in == op.out)
      products.back().scale = h.*ops.scale->scalar;
  }
  if (ops.last != nullptr) {
    // The products' own slots are left out.
    products.front().out = begin_of(ops.last->out, batch, range);
    products.front().out_stride = stride(ops.last->out);
  }
  const Slot in = group.products().front().in;
  ProductJob job{.products = products,
                 .ending = ending_of(ops.last),
                 .norm = std::nullopt,
                 .x = slots_.at(in, range.begin),
                 .x_stride = slots_.stride(in),
                 .n_tokens = range.size(),
                 .activations = info().activations};
  if (ops.norm != nullptr) {
    job.norm = Norm{.kind = ops.norm->kind,
                    .in = slots_.at(ops.norm->in, range.begin),
                    .in_stride = slots_.stride(ops.norm->in),
                    .weight = weights_.vector(*ops.norm->weight, layer),
                    .bias = ops.norm->bias ? weights_.vector(*ops.norm->bias, layer) : nullptr,
                    .epsilon = h.norm_epsilon};
  }
  multiplier_.multiply(job);
}

void CpuExecutor::mat_mul(const Op& op, const Batch& batch, std::uint32_t layer, Range range) {
  std::vector<Product> products;
  add_products(op, batch, layer, range, products);
  multiplier_.multiply({.products = products,
                        .ending = Ending::kStore,
                        .norm = std::nullopt,
                        .x = slots_.at(op.in, range.begin),
                        .x_stride = slots_.stride(op.in),
                        .n_tokens = range.size(),
                        .activations = info().activations});
  adapt(op, batch, layer, range);
}

void CpuExecutor::add_products(const Op& op,
                               const Batch& batch,
                               std::uint32_t layer,
                               Range range,
                               std::vector<Product>& products) const {
  const float* bias = op.bias ? weights_.vector(*op.bias, layer) : nullptr;
  float* out = begin_of(op.out, batch, range);
  for (const Matrix& matrix : weights_.matrices(*op.weight, layer)) {
    products.push_back({.matrix = &matrix, .bias = bias, .out = out, .out_stride = stride(op.out)});
    out += matrix.n_rows;
    if (bias != nullptr) bias += matrix.n_rows;
  }
}

bool CpuExecutor::is_adapted(const Op& op, std::uint32_t layer) const {
  return std::any_of(placed_adapters_.begin(), placed_adapters_.end(), [&](const Adapter& adapter) {
    return adapter.lora->pair(*op.weight, layer) != nullptr;
  });
}

void CpuExecutor::adapt(const Op& op, const Batch& batch, std::uint32_t layer, Range range) {
  const auto multiply = [&](const Weight& weight,
                            float* x,
                            std::size_t x_stride,
                            Ending ending,
                            float* out,
                            std::size_t out_stride) {
    const Matrix matrix = matrix_of(weight);
    const Product product{.matrix = &matrix, .out = out, .out_stride = out_stride};
    multiplier_.multiply({.products = {&product, 1},
                          .ending = ending,
                          .norm = std::nullopt,
                          .x = x,
                          .x_stride = x_stride,
                          .n_tokens = range.size(),
                          .activations = Activations::kF32});
  };
  for (const Adapter& adapter : placed_adapters_) {
    const LoraPair* pair = adapter.lora->pair(*op.weight, layer);
    if (pair == nullptr) continue;
    // First the narrow product, (n_tokens, rank) ...
    std::fill_n(narrow_.get(), narrow_stride_ * range.size(), 0.0F);
    const auto narrow = [&](std::uint32_t token) {
      return narrow_.get() + (token - range.begin) * narrow_stride_;
    };
    if (op.kind == OpKind::kEmbed) {
      for (std::uint32_t token = range.begin; token < range.end; ++token) {
        const auto row = static_cast<std::size_t>(batch.tokens[token]);
        find_format(pair->a.format->type)
            ->dequantize(pair->a.row(row).data(), pair->rank(), narrow(token));
      }
    } else {
      multiply(pair->a,
               slots_.at(op.in, range.begin),
               slots_.stride(op.in),
               Ending::kStore,
               narrow_.get(),
               narrow_stride_);
    }
    for (std::uint32_t token = range.begin; token < range.end; ++token) {
      scale(narrow(token), pair->rank(), adapter.scale * pair->scale);
    }
    // ... then what it adds.
    multiply(pair->b,
             narrow_.get(),
             narrow_stride_,
             Ending::kAdd,
             begin_of(op.out, batch, range),
             stride(op.out));
  }
}

}  // namespace kinglet::inference::cpu
