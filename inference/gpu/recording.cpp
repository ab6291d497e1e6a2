#include "inference/gpu/recording.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace kinglet::inference::gpu {

namespace {

using vulkan::DeviceAddress;

// What operations read and write, for barriers: each slot that is no whole of others, the cache,
// the scratch memory.
using Touched = std::uint64_t;
constexpr Touched kCacheBit = Touched{1} << kSlotCount;
constexpr Touched kScratchBit = Touched{2} << kSlotCount;
static_assert(kSlotCount + 2 <= 64);

Touched bit(Slot slot) {
  switch (slot) {
    case Slot::kQkv:
      return bit(Slot::kQueries) | bit(Slot::kKeys) | bit(Slot::kValues);
    case Slot::kGateUp:
      return bit(Slot::kGate) | bit(Slot::kUp);
    default:
      return Touched{1} << static_cast<unsigned>(slot);
  }
}

struct Access {
  Touched reads;
  Touched writes;
};

Access access_of(const Op& op) {
  switch (op.kind) {
    case OpKind::kEmbed:
      return {0, bit(op.out)};
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
    case OpKind::kMatMul:
    case OpKind::kSwiGlu:
    case OpKind::kGeGlu:
      return {bit(op.in), bit(op.out)};
    case OpKind::kHeadRmsNorm:
    case OpKind::kRope:
    case OpKind::kGelu:
    case OpKind::kAdd:
    case OpKind::kScale:
    case OpKind::kSoftCap:
      return {bit(op.in) | bit(op.out), bit(op.out)};
    case OpKind::kStoreKv:
      return {bit(Slot::kKeys) | bit(Slot::kValues), kCacheBit};
    case OpKind::kAttention:
      return {bit(op.in) | kCacheBit, bit(op.out) | kScratchBit};
  }
  assert(false);
  return {};
}

vulkan::Attention attention_shape(const HyperParameters& h,
                                  std::uint32_t layer,
                                  std::uint32_t n_tokens,
                                  std::uint32_t max_context) {
  vulkan::Attention attention;
  attention.cache.page_tokens = kPageTokens;
  attention.cache.n_kv_heads = h.n_kv_heads;
  attention.cache.head_dim = h.head_dim;
  attention.n_tokens = n_tokens;
  attention.n_heads = h.n_heads;
  attention.max_context = max_context;
  attention.window = window_of(h, layer);
  attention.scale = h.attention_scale;
  attention.soft_cap = h.attention_soft_cap;
  return attention;
}

class Recorder {
 public:
  Recorder(const vulkan::Device& device,
           const vulkan::Operations& operations,
           const Workspace& workspace,
           const PassShape& shape,
           std::uint64_t work_limit)
      : device_(device),
        operations_(operations),
        workspace_(workspace),
        h_(workspace.model->hyper_parameters()),
        shape_(shape),
        work_limit_(work_limit) {}

  Result<Recording> record() {
    const Architecture& architecture = workspace_.model->architecture();
    begin_ = 0;
    end_ = shape_.n_tokens;
    TRY(lower(architecture.embed, 0));
    const Extent before = extent_of(parts_);
    for (std::uint32_t layer = 0; layer < h_.n_layers; ++layer) {
      TRY(lower(architecture.layer, layer));
    }
    const Extent after = extent_of(parts_);
    TRY(lower(architecture.output, 0));
    if (shape_.n_logits > 0) {
      stream().barrier();
      const std::uint64_t bytes = std::uint64_t{shape_.n_logits} * h_.n_vocabulary * sizeof(float);
      stream().copy(*workspace_.logits, 0, *workspace_.host_logits, 0, bytes);
    }
    TRY(stream().end());
    return Recording{
        .parts = std::move(parts_),
        .layers = {after.n_stages - before.n_stages, after.n_dispatches - before.n_dispatches}};
  }

 private:
  Result<void> lower(std::span<const Op> ops, std::uint32_t layer) {
    for (const Op& op : ops) {
      if (is_identity(op, h_)) continue;
      TRY(lower(op, layer));
      // Once the last layer's keys and values are stored, only tokens whose logits are wanted
      // matter.
      if (op.kind == OpKind::kStoreKv && layer + 1 == h_.n_layers) begin_ = end_ - shape_.n_logits;
    }
    return {};
  }

  /// Records an operation for the tokens begin_ to end_, in slices that fit a submit.
  Result<void> lower(const Op& op, std::uint32_t layer) {
    const std::uint64_t work = work_per_token(op, layer);
    // Whole tiles of tokens, as long as the limit allows.
    constexpr std::uint64_t kTile = 32;
    const auto most = static_cast<std::uint32_t>(
        std::max(work_limit_ / std::max<std::uint64_t>(work, 1) / kTile * kTile, kTile));
    in_order_ = 0;
    for (std::uint32_t begin = begin_; begin < end_;) {
      const std::uint32_t n = std::min(most, end_ - begin);
      if (op.kind == OpKind::kMatMul) {
        TRY(multiply(op, layer, begin, n));
      } else {
        TRY(begin_slice(op, work * n));
        emit(op, layer, begin, n);
      }
      adapt(op, layer, begin, n);
      begin += n;
    }
    return {};
  }

  /// A product in slices of its rows, where so much at once takes long on a slow device.
  Result<void> multiply(const Op& op, std::uint32_t layer, std::uint32_t begin, std::uint32_t n) {
    // Fewer rows would be lost in the cost of the submits.
    constexpr std::uint64_t kLeastWork = 256'000'000;
    constexpr std::uint64_t kRows = 32;  // of a tile
    vulkan::MulMat product = {workspace_.weights->matrix(*op.weight, layer),
                              at(op.in, begin),
                              at(op.out, begin),
                              n,
                              stride(op.in),
                              stride(op.out),
                              bias(op, layer)};
    const std::uint64_t n_rows = product.weights.n_rows;
    const std::uint64_t row_bytes = vulkan::row_bytes(product.weights);
    const std::uint64_t row_work = vulkan::mul_mat_work(product) / n_rows;
    const std::uint64_t most =
        std::max(std::max(work_limit_, kLeastWork) / row_work / kRows * kRows, kRows);
    static_assert(kRows % vulkan::kMatrixAlignment == 0);  // of each slice's address, too
    for (std::uint64_t row = 0; row < n_rows;) {
      const std::uint64_t rows = std::min(most, n_rows - row);
      product.weights.n_rows = static_cast<std::uint32_t>(rows);
      TRY(begin_slice(op, rows * row_work));
      operations_.mul_mat(stream(), product);
      product.weights.address += rows * row_bytes;
      product.output += rows * sizeof(float);
      if (product.bias != 0) product.bias += rows * sizeof(float);
      row += rows;
    }
    return {};
  }

  /// Makes room for a slice of an operation. Slices write different parts of the output: a barrier
  /// stands before the first alone.
  Result<void> begin_slice(const Op& op, std::uint64_t work) {
    TRY(make_room(work));
    if (parts_.size() != in_order_) order(access_of(op));
    in_order_ = parts_.size();
    return {};
  }

  /// The last part, or a new one when this much more would be too much for it.
  Result<void> make_room(std::uint64_t work) {
    if (parts_.empty() || (parts_.back().work > 0 && parts_.back().work + work > work_limit_)) {
      if (!parts_.empty()) TRY(parts_.back().stream.end());
      parts_.push_back({TRY(vulkan::Stream::create(device_)), 0});
      TRY(parts_.back().stream.begin());
      // The parts before have ended when this one starts.
      unordered_ = {};
    }
    parts_.back().work += work;
    return {};
  }

  void order(const Access& access) {
    if ((access.reads & unordered_.writes) != 0 ||
        (access.writes & (unordered_.writes | unordered_.reads)) != 0) {
      stream().barrier();
      unordered_ = {};
    }
    unordered_.reads |= access.reads;
    unordered_.writes |= access.writes;
  }

  std::uint64_t work_per_token(const Op& op, std::uint32_t layer) const {
    switch (op.kind) {
      case OpKind::kMatMul: {
        const vulkan::Matrix& matrix = workspace_.weights->matrix(*op.weight, layer);
        return std::uint64_t{matrix.n_rows} * matrix.n_columns;
      }
      case OpKind::kAttention:
        return std::uint64_t{2} * h_.n_heads * h_.head_dim * shape_.max_context;
      default:
        return place_of(op.out, h_).size;
    }
  }

  void emit(const Op& op, std::uint32_t layer, std::uint32_t begin, std::uint32_t n) {
    switch (op.kind) {
      case OpKind::kEmbed:
        return operations_.get_rows(stream(),
                                    {workspace_.weights->matrix(*op.weight, layer),
                                     workspace_.ids + begin * sizeof(std::uint32_t),
                                     n,
                                     at(op.out, begin)});
      case OpKind::kRmsNorm:
        return operations_.rms_norm(stream(),
                                    {at_whole(op.in, begin),
                                     workspace_.weights->vector(*op.weight, layer),
                                     at_whole(op.out, begin),
                                     n,
                                     place_of(op.in, h_).size,
                                     h_.norm_epsilon});
      case OpKind::kLayerNorm:
        return operations_.layer_norm(stream(),
                                      {at_whole(op.in, begin),
                                       workspace_.weights->vector(*op.weight, layer),
                                       bias(op, layer),
                                       at_whole(op.out, begin),
                                       n,
                                       place_of(op.in, h_).size,
                                       h_.norm_epsilon});
      case OpKind::kHeadRmsNorm:
        return operations_.head_rms_norm(stream(),
                                         {at(op.in, begin),
                                          workspace_.weights->vector(*op.weight, layer),
                                          n,
                                          place_of(op.in, h_).size / h_.head_dim,
                                          h_.head_dim,
                                          stride(op.in),
                                          h_.norm_epsilon});
      case OpKind::kMatMul:
        break;  // multiply() does
      case OpKind::kRope:
        return rope(op, begin, n);
      case OpKind::kStoreKv:
        return operations_.cache_write(stream(),
                                       {cache(layer),
                                        at(Slot::kKeys, begin),
                                        at(Slot::kValues, begin),
                                        positions(begin),
                                        n,
                                        stride(Slot::kKeys)});
      case OpKind::kAttention: {
        vulkan::Attention attention = attention_shape(h_, layer, n, shape_.max_context);
        attention.cache = cache(layer);
        attention.queries = at(op.in, begin);
        attention.positions = positions(begin);
        attention.scratch = workspace_.scratch;
        attention.output = at(op.out, begin);
        attention.row_stride = stride(op.in);
        // Slices share the scratch memory.
        if (begin != begin_) stream().barrier();
        return operations_.attention(stream(), attention);
      }
      case OpKind::kSwiGlu:
        return operations_.swiglu(stream(), gated_linear(op, begin, n));
      case OpKind::kGeGlu:
        return operations_.geglu(stream(), gated_linear(op, begin, n));
      case OpKind::kAdd:
        return operations_.add(stream(),
                               {at_whole(op.in, begin),
                                at_whole(op.out, begin),
                                at_whole(op.out, begin),
                                n * place_of(op.out, h_).size});
      case OpKind::kGelu:
        return operations_.gelu(stream(), elementwise(op, begin, n));
      case OpKind::kScale:
        return operations_.scale(stream(), elementwise(op, begin, n), h_.*op.scalar);
      case OpKind::kSoftCap:
        return operations_.soft_cap(stream(), elementwise(op, begin, n), h_.*op.scalar);
    }
    assert(false);
  }

  /// Adds what the adapters change of a product or a lookup. The barriers stand between the two
  /// halves of each change, and between it and what came before; what comes after waits for the
  /// operation as a whole.
  void adapt(const Op& op, std::uint32_t layer, std::uint32_t begin, std::uint32_t n) {
    if (op.kind != OpKind::kMatMul && op.kind != OpKind::kEmbed) return;
    for (const PlacedAdapter& adapter : workspace_.adapters) {
      const PlacedPair* pair = adapter.lora->pair(*op.weight, layer);
      if (pair == nullptr) continue;
      const vulkan::Operations& operations = *workspace_.adapter_operations;
      stream().barrier();
      if (op.kind == OpKind::kEmbed) {
        const DeviceAddress ids = workspace_.ids + begin * sizeof(std::uint32_t);
        operations.get_rows(stream(), {pair->a, ids, n, workspace_.narrow});
      } else {
        operations.mul_mat(stream(),
                           {pair->a, at(op.in, begin), workspace_.narrow, n, stride(op.in)});
      }
      stream().barrier();
      operations.low_rank_add(stream(),
                              {pair->b,
                               workspace_.narrow,
                               at(op.out, begin),
                               n,
                               pair->n_out,
                               pair->rank,
                               stride(op.out),
                               adapter.scale * pair->scale});
    }
  }

  void rope(const Op& op, std::uint32_t begin, std::uint32_t n) {
    const vulkan::Rope rope = {at(op.in, begin),
                               positions(begin),
                               workspace_.rope[static_cast<std::size_t>(shape_.rope)],
                               n,
                               place_of(op.in, h_).size / h_.head_dim,
                               h_.head_dim,
                               h_.rope_dims,
                               stride(op.in)};
    if (workspace_.model->architecture().rope_style == RopeStyle::kNeox) {
      operations_.rope_neox(stream(), rope);
    } else {
      operations_.rope_interleaved(stream(), rope);
    }
  }

  vulkan::GatedLinear gated_linear(const Op& op, std::uint32_t begin, std::uint32_t n) const {
    return {at(Slot::kGateUp, begin), at_whole(op.out, begin), n, place_of(op.out, h_).size};
  }

  vulkan::Elementwise elementwise(const Op& op, std::uint32_t begin, std::uint32_t n) const {
    assert(op.in == op.out);
    return {at(op.out, begin), n, place_of(op.out, h_).size, stride(op.out)};
  }

  /// The address 0 where the operation or the file has none.
  DeviceAddress bias(const Op& op, std::uint32_t layer) const {
    return op.bias ? workspace_.weights->vector(*op.bias, layer) : 0;
  }

  vulkan::Stream& stream() { return parts_.back().stream; }

  std::uint32_t stride(Slot slot) const { return place_of(place_of(slot, h_).whole, h_).size; }

  DeviceAddress at(Slot slot, std::uint32_t token) const {
    // Logits are kept only of the wanted tokens, the last ones.
    if (slot == Slot::kLogits) {
      token -= shape_.n_tokens - shape_.n_logits;
      return workspace_.logits->address() + std::uint64_t{token} * h_.n_vocabulary * sizeof(float);
    }
    const SlotPlace place = place_of(slot, h_);
    return workspace_.slots[static_cast<std::size_t>(place.whole)] +
           (std::uint64_t{token} * stride(slot) + place.offset) * sizeof(float);
  }

  /// The same of a slot whose rows must lie side by side.
  DeviceAddress at_whole(Slot slot, std::uint32_t token) const {
    assert(place_of(slot, h_).whole == slot);
    return at(slot, token);
  }

  DeviceAddress positions(std::uint32_t token) const {
    return workspace_.positions + token * sizeof(std::uint32_t);
  }

  vulkan::PagedCache cache(std::uint32_t layer) const {
    return {workspace_.cache_type,
            workspace_.keys[layer],
            workspace_.values[layer],
            workspace_.pages,
            kPageTokens,
            h_.n_kv_heads,
            h_.head_dim};
  }

  const vulkan::Device& device_;
  const vulkan::Operations& operations_;
  const Workspace& workspace_;
  const HyperParameters& h_;
  const PassShape shape_;
  const std::uint64_t work_limit_;
  std::uint32_t begin_ = 0;  // tokens that still matter
  std::uint32_t end_ = 0;
  Access unordered_ = {};     // since the last barrier
  std::size_t in_order_ = 0;  // number of parts when the operation under way was put in order
  std::vector<Part> parts_;
};

}  // namespace

vulkan::CacheType cache_type(KvFormat format) {
  switch (format) {
    case KvFormat::kF32:
      return vulkan::CacheType::kF32;
    case KvFormat::kF16:
      return vulkan::CacheType::kF16;
    case KvFormat::kQ8_0:
      return vulkan::CacheType::kQ8_0;
    case KvFormat::kQ4_0:
      break;
  }
  return vulkan::CacheType::kQ4_0;
}

Extent extent_of(std::span<const Part> parts) {
  Extent extent;
  for (const Part& part : parts) {
    extent.n_stages += part.stream.n_barriers() + 1;
    extent.n_dispatches += static_cast<std::uint32_t>(part.stream.dispatches().size());
  }
  return extent;
}

Result<Recording> record_pass(const vulkan::Device& device,
                              const vulkan::Operations& operations,
                              const Workspace& workspace,
                              const PassShape& shape,
                              std::uint64_t work_limit) {
  return Recorder(device, operations, workspace, shape, work_limit).record();
}

std::uint64_t scratch_bytes(const HyperParameters& hyper_parameters,
                            std::uint32_t chunk_tokens,
                            std::uint32_t max_context) {
  // Fewer tokens are split more often, and not evenly: look at each.
  std::uint64_t most = 0;
  for (std::uint32_t n = 1; n <= chunk_tokens; ++n) {
    most = std::max(
        most,
        vulkan::attention_scratch_bytes(attention_shape(hyper_parameters, 0, n, max_context)));
  }
  return most;
}

}  // namespace kinglet::inference::gpu
