#include "inference/cpu/executor.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include "inference/cpu/attention.h"
#include "inference/cpu/elementwise.h"

namespace kinglet::inference::cpu {

namespace {

ExecutorInfo with_activation_bytes(ExecutorInfo info, std::uint64_t n_bytes) {
  info.activation_bytes = n_bytes;
  return info;
}

Result<void> check_formats(const Lora& lora) {
  for (const Weight* weight : lora.weights()) {
    if (find_format(weight->format->type) != nullptr) continue;
    return fail(ErrorCode::kUnsupported,
                std::string(lora.name()) + ": tensor " + std::string(weight->name) + " is " +
                    std::string(weight->format->name) +
                    ", for which the CPU backend has no kernel");
  }
  return {};
}

}  // namespace

CpuExecutor::CpuExecutor(std::shared_ptr<const Model> model,
                         const ExecutorInfo& info,
                         Lowering lowering,
                         std::uint32_t n_kv_tokens,
                         Placed placed)
    : Executor(model,
               with_activation_bytes(
                   info,
                   Slots::n_bytes(model->hyper_parameters(), info.chunk_tokens) +
                       Multiplier::n_bytes(info.activations,
                                           info.chunk_tokens,
                                           Slots::most_numbers(model->hyper_parameters()))),
               n_kv_tokens),
      threads_(std::move(placed.threads)),
      store_(std::move(placed.store)),
      weights_(std::move(placed.weights)),
      slots_(model->hyper_parameters(), info.chunk_tokens),
      multiplier_(*threads_,
                  info.activations,
                  info.chunk_tokens,
                  Slots::most_numbers(model->hyper_parameters())),
      embed_(steps_of(model->architecture().embed, lowering)),
      layer_(steps_of(model->architecture().layer, lowering)),
      output_(steps_of(model->architecture().output, lowering)) {}

std::vector<CpuExecutor::Step> CpuExecutor::steps_of(std::span<const Op> ops,
                                                     Lowering lowering) const {
  const HyperParameters& h = model().hyper_parameters();
  std::vector<Step> steps;
  for (Group& group : lowering == Lowering::kFused ? fuse(ops, h) : fuse_nothing(ops, h)) {
    std::vector<Group> apart = fuse_nothing(group.ops, h);
    steps.push_back({std::move(group), std::move(apart)});
  }
  return steps;
}

Result<void> CpuExecutor::prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) {
  const RopeSpec spec = model().rope_spec(factor_set);
  std::vector<float>& table = rope_[static_cast<std::size_t>(factor_set)];
  const std::size_t row = std::size_t{spec.n_pairs} * 2;
  const auto n_known = static_cast<std::uint32_t>(table.size() / row);
  if (n_known < n_positions) {
    const std::vector<float> more = rope_table(spec, n_known, n_positions - n_known);
    table.insert(table.end(), more.begin(), more.end());
  }
  return {};
}

Result<void> CpuExecutor::copy_page(const PageCopy& copy) {
  store_.copy_page(copy.from, copy.to);
  return {};
}

Result<void> CpuExecutor::place_adapters(const Adapters& adapters) {
  std::size_t most = 0;
  for (const Adapter& adapter : adapters) {
    TRY(check_formats(*adapter.lora));
    most = std::max<std::size_t>(most, adapter.lora->max_rank());
  }
  narrow_stride_ = padded(most);
  narrow_ = hwy::AllocateAligned<float>(narrow_stride_ * info().chunk_tokens + kPadding);
  placed_adapters_ = adapters;
  return {};
}

Result<void> CpuExecutor::run(const Batch& batch) {
  const HyperParameters& h = model().hyper_parameters();
  const auto n_tokens = static_cast<std::uint32_t>(batch.tokens.size());
  const auto n_logits = static_cast<std::uint32_t>(batch.logits.size() / h.n_vocabulary);
  lay_out(batch);
  Range range{0, n_tokens};
  for (const Step& step : embed_)
    compute(step, batch, 0, range);
  for (std::uint32_t layer = 0; layer < h.n_layers; ++layer) {
    if (batch.stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
    for (const Step& step : layer_) {
      compute(step, batch, layer, range);
      // Once the last layer's keys and values are stored, only tokens whose logits are wanted
      // matter.
      const bool stores = step.group.find(OpKind::kStoreKv) != nullptr;
      if (stores && layer + 1 == h.n_layers) range.begin = n_tokens - n_logits;
    }
  }
  for (const Step& step : output_)
    compute(step, batch, 0, range);
  return {};
}

void CpuExecutor::lay_out(const Batch& batch) {
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t most = attention_tile_tokens(h.n_heads, h.n_kv_heads);
  tiles_.clear();
  positions_.clear();
  std::uint32_t first = 0;
  for (const Segment& segment : batch.segments) {
    const std::uint32_t end = first + segment.n_tokens;
    for (std::uint32_t token = first; token < end; token += most) {
      tiles_.push_back({&segment, first, token, std::min(token + most, end)});
    }
    for (std::uint32_t i = 0; i < segment.n_tokens; ++i)
      positions_.push_back(segment.position + i);
    first = end;
  }
}

void CpuExecutor::compute(const Step& step, const Batch& batch, std::uint32_t layer, Range range) {
  if (range.size() == 0) return;
  switch (step.group.kind) {
    case GroupKind::kProducts:
      if (!can_multiply(step.group, layer)) break;
      return multiply(step.group, batch, layer, range);
    case GroupKind::kRopeStore:
      return rope_store(step.group, batch, layer, range);
    default:
      break;
  }
  for (const Group& one : step.apart)
    compute(one.ops.front(), batch, layer, range);
}

void CpuExecutor::compute(const Op& op, const Batch& batch, std::uint32_t layer, Range range) {
  switch (op.kind) {
    case OpKind::kEmbed:
      return embed(op, batch, range);
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
      return norm(op, layer, range);
    case OpKind::kMatMul:
      return mat_mul(op, batch, layer, range);
    case OpKind::kHeadRmsNorm:
    case OpKind::kRope:
    case OpKind::kStoreKv:
      return rope_store({.kind = GroupKind::kSingle, .ops = {op}}, batch, layer, range);
    case OpKind::kAttention:
      return attention(op, layer, range);
    case OpKind::kSwiGlu:
    case OpKind::kGeGlu:
      return gated_unit(op, range);
    case OpKind::kAdd:
      return add(op, range);
    case OpKind::kGelu:
    case OpKind::kScale:
    case OpKind::kSoftCap:
      return in_place(op, batch, range);
  }
  assert(false);
}

void CpuExecutor::embed(const Op& op, const Batch& batch, Range range) {
  const Weight& table = model().required(*op.weight);
  const Format& format = *find_format(table.format->type);
  for_tokens(range, [&](std::uint32_t token) {
    const auto row = static_cast<std::size_t>(batch.tokens[token]);
    format.dequantize(table.row(row).data(), table.n_columns, slots_.at(op.out, token));
  });
  adapt(op, batch, 0, range);
}

void CpuExecutor::norm(const Op& op, std::uint32_t layer, Range range) {
  const HyperParameters& h = model().hyper_parameters();
  const Norm norm{.kind = op.kind,
                  .weight = weights_.vector(*op.weight, layer),
                  .bias = op.bias ? weights_.vector(*op.bias, layer) : nullptr,
                  .epsilon = h.norm_epsilon};
  const std::uint32_t n = place_of(op.in, h).size;
  for_tokens(range, [&](std::uint32_t token) {
    normalize(norm, slots_.at(op.in, token), n, slots_.at(op.out, token));
  });
}

void CpuExecutor::gated_unit(const Op& op, Range range) {
  const std::uint32_t n = place_of(op.out, model().hyper_parameters()).size;
  const auto unit = op.kind == OpKind::kSwiGlu ? swi_glu : ge_glu;
  for_tokens(range, [&](std::uint32_t token) {
    unit(slots_.at(Slot::kGate, token), slots_.at(Slot::kUp, token), n, slots_.at(op.out, token));
  });
}

void CpuExecutor::add(const Op& op, Range range) {
  const std::uint32_t n = place_of(op.out, model().hyper_parameters()).size;
  for_tokens(range, [&](std::uint32_t token) {
    cpu::add(slots_.at(op.in, token), n, slots_.at(op.out, token));
  });
}

void CpuExecutor::in_place(const Op& op, const Batch& batch, Range range) {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t n = place_of(op.out, h).size;
  float* const first = begin_of(op.out, batch, range);
  for_tokens(range, [&](std::uint32_t token) {
    float* const x = first + (token - range.begin) * stride(op.out);
    switch (op.kind) {
      case OpKind::kGelu:
        return gelu(x, n);
      case OpKind::kScale:
        return scale(x, n, h.*op.scalar);
      case OpKind::kSoftCap:
        return soft_cap(x, n, h.*op.scalar);
      default:
        assert(false);
    }
  });
}

float* CpuExecutor::begin_of(Slot slot, const Batch& batch, Range range) const {
  return slot == Slot::kLogits ? batch.logits.data() : slots_.at(slot, range.begin);
}

std::size_t CpuExecutor::stride(Slot slot) const {
  return slot == Slot::kLogits ? model().hyper_parameters().n_vocabulary : slots_.stride(slot);
}

}  // namespace kinglet::inference::cpu
