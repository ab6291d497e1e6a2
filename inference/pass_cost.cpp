#include "inference/pass_cost.h"

#include <algorithm>
#include <span>

namespace kinglet::inference {

namespace {

/// Positions that the queries of a layer see.
struct Positions {
  std::uint64_t in_all = 0;  // summed over the queries
  std::uint64_t different = 0;
};

/// Of the queries at the positions `begin` to `end`.
Positions positions_seen(std::uint64_t begin, std::uint64_t end, std::uint32_t window) {
  const std::uint64_t width = window != 0 ? window : end;
  // A query sees all positions up to its own until the window is full.
  const std::uint64_t n_growing = std::clamp(width, begin, end) - begin;
  const std::uint64_t n_full = end - begin - n_growing;
  return {n_growing * begin + n_growing * (n_growing + 1) / 2 + n_full * width,
          end - (begin + 1 - std::min(width, begin + 1))};
}

class Counter {
 public:
  Counter(const Model& model, KvFormat kv_format, const PassShape& shape)
      : model_(model),
        h_(model.hyper_parameters()),
        row_bytes_(kv_row_bytes(kv_format, h_.head_dim)),
        shape_(shape),
        n_tokens_(shape.n_tokens) {}

  PassCost count() {
    const Architecture& architecture = model_.architecture();
    add(architecture.embed, 0);
    for (std::uint32_t layer = 0; layer < h_.n_layers; ++layer)
      add(architecture.layer, layer);
    if (n_tokens_ > 0) add(architecture.output, 0);
    return cost_;
  }

 private:
  void add(std::span<const Op> ops, std::uint32_t layer) {
    for (const Op& op : ops) {
      add(op, layer);
      // Once the last layer's keys and values are stored, only tokens whose logits are wanted
      // matter.
      if (op.kind == OpKind::kStoreKv && layer + 1 == h_.n_layers) n_tokens_ = shape_.n_logits;
      if (n_tokens_ == 0) return;
    }
  }

  void add(const Op& op, std::uint32_t layer) {
    const Weight* const weight = op.weight ? &model_.required(*op.weight, layer) : nullptr;
    const Weight* const bias = op.bias ? model_.weight(*op.bias, layer) : nullptr;
    if (bias != nullptr) cost_.weight_bytes += bias->data.size();
    switch (op.kind) {
      case OpKind::kEmbed:
        cost_.weight_bytes += n_tokens_ * weight->row_bytes();
        return;
      case OpKind::kMatMul:
        cost_.weight_bytes += weight->data.size();
        cost_.product_flops += 2 * n_tokens_ * weight->n_rows * weight->n_columns;
        return;
      case OpKind::kStoreKv:
        cost_.cache_bytes += n_tokens_ * row_of_keys_and_values();
        return;
      case OpKind::kAttention: {
        const std::uint64_t end = std::uint64_t{shape_.depth} + shape_.n_tokens;
        const Positions seen = positions_seen(end - n_tokens_, end, window_of(h_, layer));
        cost_.cache_bytes += seen.different * row_of_keys_and_values();
        cost_.attention_flops += 4 * seen.in_all * h_.n_heads * h_.head_dim;
        return;
      }
      default:
        if (weight != nullptr) cost_.weight_bytes += weight->data.size();
    }
  }

  std::uint64_t row_of_keys_and_values() const { return 2 * row_bytes_ * h_.n_kv_heads; }

  const Model& model_;
  const HyperParameters& h_;
  const std::uint64_t row_bytes_;
  const PassShape shape_;
  std::uint64_t n_tokens_;  // that still matter
  PassCost cost_;
};

}  // namespace

PassCost pass_cost(const Model& model, KvFormat kv_format, const PassShape& shape) {
  return Counter(model, kv_format, shape).count();
}

}  // namespace kinglet::inference
