#include "inference/cpu/executor.h"

#include <algorithm>
#include <cassert>

#include "inference/cpu/attention.h"
#include "inference/cpu/elementwise.h"
#include "inference/cpu/mat_mul.h"
#include "inference/cpu/processors.h"

namespace kinglet::inference::cpu {

namespace {

// Multiplications below which one thread is done before another wakes.
constexpr std::uint64_t kSmallWork = 1U << 17;
// Multiplications in one item of a job: long enough to hide the cost of taking it, short enough
// that threads end together.
constexpr std::uint64_t kItemWork = 1U << 18;

/// How many rows of a matrix one item of a job multiplies.
std::uint32_t rows_per_item(const Weight& weight, std::uint32_t n_tokens, std::uint32_t n_threads) {
  const std::uint64_t row_work = std::uint64_t{weight.n_columns} * n_tokens;
  if (row_work * weight.n_rows < kSmallWork) return weight.n_rows;
  const std::uint64_t share = (weight.n_rows + n_threads - 1) / n_threads;
  const std::uint64_t rows = std::min(kItemWork / row_work, share);
  return static_cast<std::uint32_t>(rows / kRowTile * kRowTile + kRowTile);
}

constexpr Slot kAllSlots[] = {
    Slot::kResidual,
    Slot::kNormed,
    Slot::kQkv,
    Slot::kAttended,
    Slot::kGateUp,
    Slot::kGated,
    Slot::kProjected,
};

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

std::uint32_t widest(const HyperParameters& h) {
  std::uint32_t most = 0;
  for (const Slot slot : kAllSlots)
    most = std::max(most, place_of(slot, h).size);
  return most;
}

}  // namespace

std::uint64_t CpuExecutor::activation_bytes(const HyperParameters& h,
                                            std::uint32_t chunk_tokens,
                                            Activations activations) {
  std::uint64_t n_floats = 0;
  for (const Slot slot : kAllSlots)
    n_floats += padded(place_of(slot, h).size);
  const std::uint64_t n_bytes = n_floats * chunk_tokens * sizeof(float);
  return activations == Activations::kF32
             ? n_bytes
             : n_bytes + ByteActivations(chunk_tokens, widest(h)).n_bytes();
}

CpuExecutor::CpuExecutor(std::shared_ptr<const Model> model,
                         const ExecutorInfo& info,
                         std::uint32_t n_kv_tokens,
                         KvStore store)
    : Executor(std::move(model), info, n_kv_tokens),
      store_(std::move(store)),
      threads_(info.n_threads, place_threads(find_processors(), info.n_threads)) {
  const HyperParameters& h = this->model().hyper_parameters();
  for (const Slot slot : kAllSlots) {
    const std::size_t n = padded(place_of(slot, h).size) * info.chunk_tokens;
    auto& memory = slots_[static_cast<std::size_t>(slot)];
    memory = hwy::AllocateAligned<float>(n + kPadding);
    std::fill_n(memory.get(), n + kPadding, 0.0F);
  }
  if (info.activations == Activations::kInt8)
    bytes_ = ByteActivations(info.chunk_tokens, widest(h));
  const auto read_vector = [&](Role role) {
    auto& vectors = vectors_[static_cast<std::size_t>(role)];
    if (!vectors.empty()) return;
    vectors.resize(is_per_layer(role) ? h.n_layers : 1);
    for (std::uint32_t layer = 0; layer < vectors.size(); ++layer) {
      const Weight* weight = this->model().weight(role, layer);
      if (weight == nullptr) continue;
      vectors[layer].resize(weight->n_columns);
      weight->format->dequantize(weight->data, vectors[layer]);
    }
  };
  const Architecture& architecture = this->model().architecture();
  for (const auto ops : {architecture.embed, architecture.layer, architecture.output}) {
    for (const Op& op : ops) {
      const bool is_norm = op.kind == OpKind::kRmsNorm || op.kind == OpKind::kLayerNorm ||
                           op.kind == OpKind::kHeadRmsNorm;
      if (is_norm) read_vector(*op.weight);
      if (op.bias) read_vector(*op.bias);
    }
  }
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
  narrow_ = hwy::AllocateAligned<float>(padded(most) * info().chunk_tokens + kPadding);
  placed_adapters_ = adapters;
  return {};
}

Result<void> CpuExecutor::run(const Batch& batch) {
  const Architecture& architecture = model().architecture();
  const HyperParameters& h = model().hyper_parameters();
  const auto n_tokens = static_cast<std::uint32_t>(batch.tokens.size());
  const auto n_logits = static_cast<std::uint32_t>(batch.logits.size() / h.n_vocabulary);
  lay_out(batch);
  Range range{0, n_tokens};
  for (const Op& op : architecture.embed)
    compute(op, batch, 0, range);
  for (std::uint32_t layer = 0; layer < h.n_layers; ++layer) {
    if (batch.stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
    for (const Op& op : architecture.layer) {
      compute(op, batch, layer, range);
      // Once the last layer's keys and values are stored, only tokens whose logits are wanted
      // matter.
      if (op.kind == OpKind::kStoreKv && layer + 1 == h.n_layers) range.begin = n_tokens - n_logits;
    }
  }
  for (const Op& op : architecture.output)
    compute(op, batch, 0, range);
  return {};
}

void CpuExecutor::lay_out(const Batch& batch) {
  constexpr std::uint32_t kTokens = 8;
  tiles_.clear();
  positions_.clear();
  std::uint32_t first = 0;
  for (const Segment& segment : batch.segments) {
    const std::uint32_t end = first + segment.n_tokens;
    for (std::uint32_t token = first; token < end; token += kTokens) {
      tiles_.push_back({&segment, first, token, std::min(token + kTokens, end)});
    }
    for (std::uint32_t i = 0; i < segment.n_tokens; ++i)
      positions_.push_back(segment.position + i);
    first = end;
  }
}

void CpuExecutor::compute(const Op& op, const Batch& batch, std::uint32_t layer, Range range) {
  if (range.size() == 0 || is_identity(op, model().hyper_parameters())) return;
  switch (op.kind) {
    case OpKind::kEmbed:
      return embed(op, batch, range);
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
      return norm(op, layer, range);
    case OpKind::kHeadRmsNorm:
      return head_norm(op, layer, range);
    case OpKind::kMatMul:
      return mat_mul(op, batch, layer, range);
    case OpKind::kRope:
      return rope(op, batch, range);
    case OpKind::kStoreKv:
      return store_kv(layer, range);
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
    format.dequantize(table.row(row).data(), table.n_columns, at(op.out, token));
  });
  adapt(op, batch, 0, range, {.out = at(op.out, range.begin), .out_stride = stride(op.out)});
}

void CpuExecutor::norm(const Op& op, std::uint32_t layer, Range range) {
  const float* weight = vector(*op.weight, layer);
  const float* bias = op.bias ? vector(*op.bias, layer) : nullptr;
  const std::uint32_t n = place_of(op.in, model().hyper_parameters()).size;
  const float epsilon = model().hyper_parameters().norm_epsilon;
  for_tokens(range, [&](std::uint32_t token) {
    const float* in = at(op.in, token);
    float* out = at(op.out, token);
    if (op.kind == OpKind::kRmsNorm) {
      rms_norm(in, weight, n, epsilon, out);
    } else {
      layer_norm(in, weight, bias, n, epsilon, out);
    }
  });
}

void CpuExecutor::head_norm(const Op& op, std::uint32_t layer, Range range) {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const float* weight = vector(*op.weight, layer);
  const std::uint32_t n_heads = place_of(op.in, h).size / h.head_dim;
  for_tokens(range, [&](std::uint32_t token) {
    float* head = at(op.in, token);
    for (std::uint32_t i = 0; i < n_heads; ++i, head += h.head_dim) {
      rms_norm(head, weight, h.head_dim, h.norm_epsilon, head);
    }
  });
}

void CpuExecutor::mat_mul(const Op& op, const Batch& batch, std::uint32_t layer, Range range) {
  const Weight& weight = model().required(*op.weight, layer);
  const bool makes_logits = op.out == Slot::kLogits;
  const MatMul job{
      .x = at(op.in, range.begin),
      .x_stride = stride(op.in),
      .out = makes_logits ? batch.logits.data() : at(op.out, range.begin),
      .out_stride = makes_logits ? weight.n_rows : stride(op.out),
      .n_tokens = range.size(),
      .bias = op.bias ? vector(*op.bias, layer) : nullptr,
  };
  multiply(weight, job, info().activations);
  adapt(op, batch, layer, range, job);
}

void CpuExecutor::multiply(const Weight& weight, MatMul job, Activations activations) {
  job.format = find_format(weight.format->type);
  job.weights = weight.data.data();
  job.row_bytes = weight.row_bytes();
  job.n_columns = weight.n_columns;
  const std::uint32_t rows = rows_per_item(weight, job.n_tokens, threads_.n_threads());
  const bool in_bytes = activations == Activations::kInt8 && job.format->unpack != nullptr;
  if (in_bytes) {
    for_tokens({0, job.n_tokens}, [&](std::uint32_t token) {
      bytes_.quantize(token, {job.x + token * job.x_stride, job.n_columns});
    });
  }
  threads_.for_each((weight.n_rows + rows - 1) / rows, [&](std::uint32_t item, std::uint32_t) {
    const std::uint32_t end = std::min(item * rows + rows, weight.n_rows);
    if (in_bytes) {
      byte_mat_mul(job, bytes_, item * rows, end);
    } else {
      cpu::mat_mul(job, item * rows, end);
    }
  });
}

void CpuExecutor::adapt(
    const Op& op, const Batch& batch, std::uint32_t layer, Range range, const MatMul& base) {
  for (const Adapter& adapter : placed_adapters_) {
    const LoraPair* pair = adapter.lora->pair(*op.weight, layer);
    if (pair == nullptr) continue;
    // First the narrow product, (n_tokens, rank) ...
    const std::size_t narrow_stride = padded(pair->rank());
    std::fill_n(narrow_.get(), narrow_stride * range.size(), 0.0F);
    const auto narrow = [&](std::uint32_t token) {
      return narrow_.get() + (token - range.begin) * narrow_stride;
    };
    if (op.kind == OpKind::kEmbed) {
      for (std::uint32_t token = range.begin; token < range.end; ++token) {
        const auto row = static_cast<std::size_t>(batch.tokens[token]);
        find_format(pair->a.format->type)
            ->dequantize(pair->a.row(row).data(), pair->rank(), narrow(token));
      }
    } else {
      multiply(pair->a,
               {.x = base.x,
                .x_stride = base.x_stride,
                .out = narrow_.get(),
                .out_stride = narrow_stride,
                .n_tokens = range.size()},
               Activations::kF32);
    }
    for (std::uint32_t token = range.begin; token < range.end; ++token) {
      scale(narrow(token), pair->rank(), adapter.scale * pair->scale);
    }
    // ... then what it adds.
    multiply(pair->b,
             {.x = narrow_.get(),
              .x_stride = narrow_stride,
              .out = base.out,
              .out_stride = base.out_stride,
              .n_tokens = range.size(),
              .accumulate = true},
             Activations::kF32);
  }
}

void CpuExecutor::rope(const Op& op, const Batch& batch, Range range) {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t n_pairs = h.rope_dims / 2;
  const std::uint32_t n_heads = place_of(op.in, h).size / h.head_dim;
  const float* table = rope_[static_cast<std::size_t>(batch.rope)].data();
  const auto turn =
      model().architecture().rope_style == RopeStyle::kNeox ? rope_neox : rope_interleaved;
  for_tokens(range, [&](std::uint32_t token) {
    const std::size_t position = positions_[token];
    turn(at(op.in, token), n_heads, h.head_dim, n_pairs, table + position * n_pairs * 2);
  });
}

void CpuExecutor::store_kv(std::uint32_t layer, Range range) {
  for_each_tile(range, 1, [&](const Tile& tile, std::uint32_t) {
    for (std::uint32_t token = tile.begin; token < tile.end; ++token) {
      const std::uint32_t position = positions_[token];
      store_.write(tile.segment->pages[position / kPageTokens],
                   position % kPageTokens,
                   layer,
                   at(Slot::kKeys, token),
                   at(Slot::kValues, token));
    }
  });
}

void CpuExecutor::attention(const Op& op, std::uint32_t layer, Range range) {
  const HyperParameters& h = model().hyper_parameters();
  for_each_tile(range, h.n_kv_heads, [&](const Tile& tile, std::uint32_t kv_head) {
    const Attention job{
        .store = &store_,
        .pages = tile.segment->pages,
        .layer = layer,
        .head_dim = h.head_dim,
        .n_heads = h.n_heads,
        .n_kv_heads = h.n_kv_heads,
        .sliding_window = window_of(h, layer),
        .scale = h.attention_scale,
        .soft_cap = h.attention_soft_cap,
        .position = tile.segment->position,
        .queries = at(op.in, tile.segment_begin),
        .query_stride = stride(op.in),
        .out = at(op.out, tile.segment_begin),
        .out_stride = stride(op.out),
    };
    attend(job, kv_head, tile.begin - tile.segment_begin, tile.end - tile.segment_begin);
  });
}

void CpuExecutor::gated_unit(const Op& op, Range range) {
  const std::uint32_t n = place_of(op.out, model().hyper_parameters()).size;
  const auto unit = op.kind == OpKind::kSwiGlu ? swi_glu : ge_glu;
  for_tokens(range, [&](std::uint32_t token) {
    unit(at(Slot::kGate, token), at(Slot::kUp, token), n, at(op.out, token));
  });
}

void CpuExecutor::add(const Op& op, Range range) {
  const std::uint32_t n = place_of(op.out, model().hyper_parameters()).size;
  for_tokens(range, [&](std::uint32_t token) { cpu::add(at(op.in, token), n, at(op.out, token)); });
}

void CpuExecutor::in_place(const Op& op, const Batch& batch, Range range) {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t n = place_of(op.out, h).size;
  for_tokens(range, [&](std::uint32_t token) {
    float* x = op.out == Slot::kLogits ? batch.logits.data() + std::size_t{token - range.begin} * n
                                       : at(op.out, token);
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

template <class Body>
void CpuExecutor::for_tokens(Range range, const Body& body) {
  constexpr std::uint32_t kTokens = 8;
  threads_.for_each((range.size() + kTokens - 1) / kTokens, [&](std::uint32_t item, std::uint32_t) {
    const std::uint32_t begin = range.begin + item * kTokens;
    const std::uint32_t end = std::min(begin + kTokens, range.end);
    for (std::uint32_t token = begin; token < end; ++token)
      body(token);
  });
}

template <class Body>
void CpuExecutor::for_each_tile(Range range, std::uint32_t n_parts, const Body& body) {
  const auto n_tiles = static_cast<std::uint32_t>(tiles_.size());
  threads_.for_each(n_tiles * n_parts, [&](std::uint32_t item, std::uint32_t) {
    Tile tile = tiles_[item / n_parts];
    tile.begin = std::max(tile.begin, range.begin);
    tile.end = std::min(tile.end, range.end);
    if (tile.begin < tile.end) body(tile, item % n_parts);
  });
}

float* CpuExecutor::at(Slot slot, std::uint32_t token) const {
  const SlotPlace place = place_of(slot, model().hyper_parameters());
  return slots_[static_cast<std::size_t>(place.whole)].get() + token * stride(slot) + place.offset;
}

std::size_t CpuExecutor::stride(Slot slot) const {
  const HyperParameters& h = model().hyper_parameters();
  return padded(place_of(place_of(slot, h).whole, h).size);
}

const float* CpuExecutor::vector(Role role, std::uint32_t layer) const {
  const auto& vectors = vectors_[static_cast<std::size_t>(role)];
  const std::vector<float>& found = vectors[is_per_layer(role) ? layer : 0];
  return found.empty() ? nullptr : found.data();
}

}  // namespace kinglet::inference::cpu
