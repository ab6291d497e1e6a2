#include "inference/gpu/emitter.h"

#include <algorithm>
#include <cassert>

namespace kinglet::inference::gpu {

using vulkan::DeviceAddress;

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

vulkan::Attention attention_shape(const HyperParameters& h,
                                  vulkan::CacheType cache_type,
                                  std::uint32_t layer,
                                  std::uint32_t n_tokens,
                                  std::uint32_t max_context) {
  vulkan::Attention attention;
  attention.cache.type = cache_type;
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

Emitter::Emitter(const vulkan::Operations& operations,
                 const Workspace& workspace,
                 const PassShape& shape,
                 std::uint32_t n_positions)
    : operations_(operations),
      workspace_(workspace),
      h_(workspace.model->hyper_parameters()),
      shape_(shape),
      n_positions_(n_positions) {}

bool Emitter::can_fuse(const Group& group, std::uint32_t layer) const {
  for (const Op& op : group.ops) {
    if (is_adapted(op, layer)) return false;
  }
  switch (group.kind) {
    case GroupKind::kSingle:
      return false;
    case GroupKind::kRopeStore:
      return true;
    case GroupKind::kProducts:
      break;
  }
  const bool is_unit = group.find(OpKind::kSwiGlu) != nullptr || group.find(OpKind::kGeGlu);
  if (!is_unit) return true;
  const std::span<const Op> products = group.products();
  const vulkan::Matrix& gates = workspace_.weights->matrix(*products[0].weight, layer);
  if (products.size() == 2) {
    // One workgroup computes a row of both.
    return gates.type == workspace_.weights->matrix(*products[1].weight, layer).type;
  }
  // The ups are a matrix of their own, and begin where one may.
  const std::uint64_t gate_bytes = gates.n_rows / 2 * vulkan::row_bytes(gates);
  return vulkan::block_elements(gates.type) == 1 || gate_bytes % vulkan::kMatrixAlignment == 0;
}

vulkan::Products Emitter::products(const Group& group,
                                   std::uint32_t layer,
                                   Tokens tokens,
                                   bool normed) const {
  const std::span<const Op> products = group.products();
  const Op* norm = normed ? nullptr : group.find(OpKind::kRmsNorm);
  vulkan::Products result;
  const Slot in = norm != nullptr ? norm->in : products.front().in;
  result.input = at(in, tokens.begin);
  result.input_stride = stride(in);
  result.n_tokens = tokens.n;
  if (norm != nullptr) {
    result.norm_weight = workspace_.weights->vector(*norm->weight, layer);
    result.norm_epsilon = h_.norm_epsilon;
  }
  // Where the results go, when it is not where the products say.
  const Op* into = nullptr;
  const auto store_into = [&](OpKind kind, vulkan::Store store) {
    const Op* found = group.find(kind);
    if (found == nullptr) return;
    into = found;
    result.store = store;
  };
  store_into(OpKind::kAdd, vulkan::Store::kAdd);
  store_into(OpKind::kSwiGlu, vulkan::Store::kSwiGlu);
  store_into(OpKind::kGeGlu, vulkan::Store::kGeGlu);
  if (const Op* scale = group.find(OpKind::kScale)) result.scale = h_.*scale->scalar;
  assert(products.size() <= vulkan::Products::kMaxParts);
  result.n_parts = static_cast<std::uint32_t>(products.size());
  for (std::size_t i = 0; i < products.size(); ++i) {
    const Slot out = into != nullptr ? into->out : products[i].out;
    result.parts[i] = {workspace_.weights->matrix(*products[i].weight, layer),
                       bias(products[i], layer),
                       at(out, tokens.begin),
                       stride(out)};
  }
  return result;
}

vulkan::RopeStore Emitter::rope_store(const Group& group,
                                      std::uint32_t layer,
                                      Tokens tokens) const {
  vulkan::RopeStore op;
  op.cache = cache(layer, tokens.begin);
  op.queries = at(Slot::kQueries, tokens.begin);
  op.keys = at(Slot::kKeys, tokens.begin);
  op.values = at(Slot::kValues, tokens.begin);
  for (const Op& norm : group.ops) {
    if (norm.kind != OpKind::kHeadRmsNorm) continue;
    const DeviceAddress weight = workspace_.weights->vector(*norm.weight, layer);
    (norm.out == Slot::kQueries ? op.query_norm : op.key_norm) = weight;
  }
  op.positions = positions(tokens.begin);
  op.table = workspace_.rope[static_cast<std::size_t>(shape_.rope)];
  op.style = workspace_.model->architecture().rope_style == RopeStyle::kNeox
                 ? vulkan::RopeStyle::kNeox
                 : vulkan::RopeStyle::kInterleaved;
  op.n_tokens = tokens.n;
  op.n_heads = h_.n_heads;
  op.n_rotated = h_.rope_dims;
  op.row_stride = stride(Slot::kQueries);
  op.norm_epsilon = h_.norm_epsilon;
  return op;
}

void Emitter::emit(vulkan::Stream& stream, const Op& op, std::uint32_t layer, Tokens tokens) const {
  switch (op.kind) {
    case OpKind::kEmbed:
      return operations_.get_rows(stream,
                                  {workspace_.weights->matrix(*op.weight, layer),
                                   workspace_.ids + tokens.begin * sizeof(std::uint32_t),
                                   tokens.n,
                                   at(op.out, tokens.begin)});
    case OpKind::kRmsNorm:
      return operations_.rms_norm(stream,
                                  {at_whole(op.in, tokens.begin),
                                   workspace_.weights->vector(*op.weight, layer),
                                   at_whole(op.out, tokens.begin),
                                   tokens.n,
                                   place_of(op.in, h_).size,
                                   h_.norm_epsilon});
    case OpKind::kLayerNorm:
      return operations_.layer_norm(stream,
                                    {at_whole(op.in, tokens.begin),
                                     workspace_.weights->vector(*op.weight, layer),
                                     bias(op, layer),
                                     at_whole(op.out, tokens.begin),
                                     tokens.n,
                                     place_of(op.in, h_).size,
                                     h_.norm_epsilon});
    case OpKind::kHeadRmsNorm:
      return operations_.head_rms_norm(stream,
                                       {at(op.in, tokens.begin),
                                        workspace_.weights->vector(*op.weight, layer),
                                        tokens.n,
                                        place_of(op.in, h_).size / h_.head_dim,
                                        h_.head_dim,
                                        stride(op.in),
                                        h_.norm_epsilon});
    case OpKind::kMatMul:
      break;  // products()
    case OpKind::kRope:
      return rope(stream, op, tokens);
    case OpKind::kStoreKv:
      return operations_.rope_store(stream,
                                    {.cache = cache(layer, tokens.begin),
                                     .keys = at(Slot::kKeys, tokens.begin),
                                     .values = at(Slot::kValues, tokens.begin),
                                     .positions = positions(tokens.begin),
                                     .n_tokens = tokens.n,
                                     .row_stride = stride(Slot::kKeys)});
    case OpKind::kAttention:
      return operations_.attention(stream, attention(op, layer, tokens));
    case OpKind::kSwiGlu:
      return operations_.swiglu(stream, gated_linear(op, tokens));
    case OpKind::kGeGlu:
      return operations_.geglu(stream, gated_linear(op, tokens));
    case OpKind::kAdd:
      return operations_.add(stream,
                             {at_whole(op.in, tokens.begin),
                              at_whole(op.out, tokens.begin),
                              at_whole(op.out, tokens.begin),
                              tokens.n * place_of(op.out, h_).size});
    case OpKind::kGelu:
      return operations_.gelu(stream, elementwise(op, tokens));
    case OpKind::kScale:
      return operations_.scale(stream, elementwise(op, tokens), h_.*op.scalar);
    case OpKind::kSoftCap:
      return operations_.soft_cap(stream, elementwise(op, tokens), h_.*op.scalar);
  }
  assert(false);
}

bool Emitter::is_adapted(const Op& op, std::uint32_t layer) const {
  if (op.kind != OpKind::kMatMul && op.kind != OpKind::kEmbed) return false;
  for (const PlacedAdapter& adapter : workspace_.adapters) {
    if (adapter.lora->pair(*op.weight, layer) != nullptr) return true;
  }
  return false;
}

void Emitter::adapt(vulkan::Stream& stream,
                    const Op& op,
                    std::uint32_t layer,
                    Tokens tokens) const {
  if (!is_adapted(op, layer)) return;
  const vulkan::Operations& operations = *workspace_.adapter_operations;
  for (const PlacedAdapter& adapter : workspace_.adapters) {
    const PlacedPair* pair = adapter.lora->pair(*op.weight, layer);
    if (pair == nullptr) continue;
    stream.barrier();
    if (op.kind == OpKind::kEmbed) {
      const DeviceAddress ids = workspace_.ids + tokens.begin * sizeof(std::uint32_t);
      operations.get_rows(stream, {pair->a, ids, tokens.n, workspace_.narrow});
    } else {
      operations.mul_mat(
          stream, {pair->a, at(op.in, tokens.begin), workspace_.narrow, tokens.n, stride(op.in)});
    }
    stream.barrier();
    operations.low_rank_add(stream,
                            {pair->b,
                             workspace_.narrow,
                             at(op.out, tokens.begin),
                             tokens.n,
                             pair->n_out,
                             pair->rank,
                             stride(op.out),
                             adapter.scale * pair->scale});
  }
}

void Emitter::choose_next(vulkan::Stream& stream) const {
  assert(shape_.n_tokens == 1 && shape_.n_logits == 1);
  // Rows of the model's matrices beyond its vocabulary are padding: no token is theirs.
  const auto n_tokens = static_cast<std::uint32_t>(workspace_.model->vocabulary()->size());
  operations_.argmax(stream,
                     {at(Slot::kLogits, 0),
                      workspace_.choosing,
                      workspace_.ids,
                      1,
                      n_tokens,
                      workspace_.positions,
                      workspace_.history,
                      kHistory});
}

void Emitter::rope(vulkan::Stream& stream, const Op& op, Tokens tokens) const {
  const vulkan::Rope rope = {at(op.in, tokens.begin),
                             positions(tokens.begin),
                             workspace_.rope[static_cast<std::size_t>(shape_.rope)],
                             tokens.n,
                             place_of(op.in, h_).size / h_.head_dim,
                             h_.head_dim,
                             h_.rope_dims,
                             stride(op.in)};
  if (workspace_.model->architecture().rope_style == RopeStyle::kNeox) {
    operations_.rope_neox(stream, rope);
  } else {
    operations_.rope_interleaved(stream, rope);
  }
}

vulkan::Attention Emitter::attention(const Op& op, std::uint32_t layer, Tokens tokens) const {
  vulkan::Attention attention =
      attention_shape(h_, workspace_.cache_type, layer, tokens.n, shape_.max_context);
  attention.cache = cache(layer, tokens.begin);
  assert(vulkan::attention_scratch_bytes(attention) <= workspace_.scratch_bytes);
  // The first slices of a prompt see less than the last one.
  const std::uint32_t behind =
      shape_.page_stride > 0 ? 0 : shape_.n_tokens - tokens.begin - tokens.n;
  attention.n_positions = n_positions_ - std::min(behind, n_positions_ - 1);
  attention.queries = at(op.in, tokens.begin);
  attention.positions = positions(tokens.begin);
  attention.scratch = workspace_.scratch;
  attention.counters = workspace_.counters;
  attention.output = at(op.out, tokens.begin);
  attention.row_stride = stride(op.in);
  return attention;
}

vulkan::GatedLinear Emitter::gated_linear(const Op& op, Tokens tokens) const {
  return {at(Slot::kGateUp, tokens.begin),
          at_whole(op.out, tokens.begin),
          tokens.n,
          place_of(op.out, h_).size};
}

vulkan::Elementwise Emitter::elementwise(const Op& op, Tokens tokens) const {
  assert(op.in == op.out);
  return {at(op.out, tokens.begin), tokens.n, place_of(op.out, h_).size, stride(op.out)};
}

DeviceAddress Emitter::bias(const Op& op, std::uint32_t layer) const {
  return op.bias ? workspace_.weights->vector(*op.bias, layer) : 0;
}

std::uint32_t Emitter::stride(Slot slot) const {
  return place_of(place_of(slot, h_).whole, h_).size;
}

DeviceAddress Emitter::at(Slot slot, std::uint32_t token) const {
  // Logits are kept only of the wanted tokens, the last ones.
  if (slot == Slot::kLogits) {
    token -= shape_.n_tokens - shape_.n_logits;
    return workspace_.logits->address() + std::uint64_t{token} * h_.n_vocabulary * sizeof(float);
  }
  const SlotPlace place = place_of(slot, h_);
  return workspace_.slots[static_cast<std::size_t>(place.whole)] +
         (std::uint64_t{token} * stride(slot) + place.offset) * sizeof(float);
}

DeviceAddress Emitter::at_whole(Slot slot, std::uint32_t token) const {
  assert(place_of(slot, h_).whole == slot);
  return at(slot, token);
}

DeviceAddress Emitter::positions(std::uint32_t token) const {
  return workspace_.positions + token * sizeof(std::uint32_t);
}

vulkan::PagedCache Emitter::cache(std::uint32_t layer, std::uint32_t first_token) const {
  const std::uint64_t first_entry = std::uint64_t{first_token} * shape_.page_stride;
  return {workspace_.cache_type,
          workspace_.keys[layer],
          workspace_.values[layer],
          workspace_.pages + first_entry * sizeof(std::uint32_t),
          kPageTokens,
          h_.n_kv_heads,
          h_.head_dim,
          shape_.page_stride};
}

}  // namespace kinglet::inference::gpu
