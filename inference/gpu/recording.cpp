#include "inference/gpu/recording.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "daemon/base/trace.h"
#include "inference/fusion.h"
#include "inference/gpu/emitter.h"

namespace kinglet::inference::gpu {

namespace {

// What groups read and write, for barriers: slots, the cache, the scratch memories.
using Touched = std::uint64_t;
constexpr Touched kCacheBit = Touched{1} << 32;
constexpr Touched kScratchBit = Touched{2} << 32;
constexpr Touched kSplitBit = Touched{4} << 32;
static_assert(sizeof(SlotSet) == 4);

struct Access {
  Touched reads = 0;
  Touched writes = 0;
};

Access access_of(const Group& group) {
  Access access = {group.reads, group.writes};
  if (group.find(OpKind::kStoreKv) != nullptr) access.writes |= kCacheBit;
  if (group.find(OpKind::kAttention) != nullptr) {
    access.reads |= kCacheBit;
    access.writes |= kScratchBit;
  }
  return access;
}

bool is_product(const Group& group) {
  return group.find(OpKind::kMatMul) != nullptr;
}

/// Every group's operations, each by itself.
std::vector<Group> apart(const Group& group, const HyperParameters& h) {
  return fuse_nothing(group.ops, h);
}

/// The same product for a part of its rows.
void take_rows(vulkan::Products::Part& part, std::uint64_t first, std::uint64_t n) {
  part.weights.n_rows = static_cast<std::uint32_t>(n);
  part.weights.address += first * vulkan::row_bytes(part.weights);
  part.output += first * sizeof(float);
  if (part.bias != 0) part.bias += first * sizeof(float);
}

/// Multiplications: tiles are computed whole, however few tokens they hold.
std::uint64_t work_of(const vulkan::Products& products) {
  constexpr std::uint64_t kTile = 32;
  std::uint64_t n_numbers = 0;
  for (std::uint32_t i = 0; i < products.n_parts; ++i) {
    const vulkan::Matrix& weights = products.parts[i].weights;
    n_numbers += std::uint64_t{weights.n_rows} * weights.n_columns;
  }
  const std::uint64_t n = products.n_tokens;
  return n_numbers * (n <= vulkan::kMaxVecTokens ? n : (n + kTile - 1) / kTile * kTile);
}

class Recorder {
 public:
  Recorder(const vulkan::Device& device,
           const vulkan::Operations& operations,
           const Workspace& workspace,
           const PassShape& shape,
           std::uint32_t n_positions,
           std::uint64_t work_limit)
      : device_(device),
        operations_(operations),
        workspace_(workspace),
        h_(workspace.model->hyper_parameters()),
        shape_(shape),
        work_limit_(work_limit),
        emitter_(operations, workspace_, shape_, n_positions) {}

  Result<Recording> record() {
    const Architecture& architecture = workspace_.model->architecture();
    begin_ = 0;
    end_ = shape_.n_tokens;
    TRY(lower(groups_of(architecture.embed), 0));
    const std::vector<Group> layer_groups = groups_of(architecture.layer);
    const Extent before = extent_of(parts_);
    for (std::uint32_t layer = 0; layer < h_.n_layers; ++layer)
      TRY(lower(layer_groups, layer));
    const Extent after = extent_of(parts_);
    TRY(lower(groups_of(architecture.output), 0));
    if (shape_.n_logits > 0) TRY(end_pass());
    TRY(stream().end());
    return Recording{
        .parts = std::move(parts_),
        .layers = {after.n_stages - before.n_stages, after.n_dispatches - before.n_dispatches}};
  }

 private:
  std::vector<Group> groups_of(std::span<const Op> ops) const {
    return workspace_.lowering == Lowering::kFused ? fuse(ops, h_) : fuse_nothing(ops, h_);
  }

  Result<void> lower(std::span<const Group> groups, std::uint32_t layer) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const Group& group = groups[i];
      if (i + 1 < groups.size() && attends_at_once(group, groups[i + 1], layer)) {
        TRY(store_and_attend(group, groups[++i], layer));
      } else if (group.kind == GroupKind::kSingle || emitter_.can_fuse(group, layer)) {
        TRY(lower(group, layer));
      } else {
        for (const Group& single : apart(group, h_))
          TRY(lower(single, layer));
      }
      // Once the last layer's keys and values are stored, only tokens whose logits are wanted
      // matter.
      const bool stores = group.find(OpKind::kStoreKv) != nullptr;
      if (stores && layer + 1 == h_.n_layers) begin_ = end_ - shape_.n_logits;
    }
    return {};
  }

  /// Records a group for the tokens begin_ to end_, in slices that fit a submit.
  Result<void> lower(const Group& group, std::uint32_t layer) {
    if (is_product(group)) return multiply(group, layer);
    const std::uint64_t work = work_per_token(group);
    in_order_ = 0;
    const Access access = access_of(group);
    for (std::uint32_t begin = begin_; begin < end_;) {
      const Tokens tokens = {begin, std::min(tokens_of(work), end_ - begin)};
      TRY(begin_slice(access, work * tokens.n));
      if (group.kind == GroupKind::kRopeStore) {
        operations_.rope_store(stream(), emitter_.rope_store(group, layer, tokens));
      } else {
        const Op& op = group.ops.front();
        // Slices share the scratch memory.
        if (op.kind == OpKind::kAttention && begin != begin_) stream().barrier();
        emitter_.emit(stream(), op, layer, tokens);
        emitter_.adapt(stream(), op, layer, tokens);
      }
      begin += tokens.n;
    }
    return {};
  }

  /// Whether these two can be one dispatch: so one stage less, of all that a step waits for.
  bool attends_at_once(const Group& store, const Group& next, std::uint32_t layer) const {
    if (store.kind != GroupKind::kRopeStore || !emitter_.can_fuse(store, layer)) return false;
    if (next.kind != GroupKind::kSingle || begin_ == end_) return false;
    const Op& op = next.ops.front();
    const Tokens tokens = {begin_, end_ - begin_};
    return op.kind == OpKind::kAttention && tokens.n <= tokens_of(work_per_token(next)) &&
           operations_.can_store_and_attend(emitter_.rope_store(store, layer, tokens),
                                            emitter_.attention(op, layer, tokens));
  }

  Result<void> store_and_attend(const Group& store, const Group& next, std::uint32_t layer) {
    const Tokens tokens = {begin_, end_ - begin_};
    const Access first = access_of(store);
    const Access second = access_of(next);
    in_order_ = 0;
    TRY(begin_slice({first.reads | second.reads, first.writes | second.writes},
                    (work_per_token(store) + work_per_token(next)) * tokens.n));
    operations_.store_and_attend(stream(),
                                 emitter_.rope_store(store, layer, tokens),
                                 emitter_.attention(next.ops.front(), layer, tokens));
    return {};
  }

  /// Products of one group.
  Result<void> multiply(const Group& group, std::uint32_t layer) {
    if (begin_ == end_) return {};
    Access access = access_of(group);
    const Op* norm = group.find(OpKind::kRmsNorm);
    const bool norms_before = norm != nullptr && !vulkan::can_norm(end_ - begin_);
    if (norms_before) {
      for (const Group& single : fuse_nothing({norm, 1}, h_))
        TRY(lower(single, layer));
      access.reads = (access.reads & ~Touched{slots_of(norm->in)}) | slots_of(norm->out);
      // A residual that is added to is read all the same.
      if (group.find(OpKind::kAdd) != nullptr) access.reads |= access.writes;
    }
    const vulkan::Products all = emitter_.products(group, layer, {begin_, 1}, norms_before);
    const std::uint64_t work = work_of(all);
    in_order_ = 0;
    for (std::uint32_t begin = begin_; begin < end_;) {
      const Tokens tokens = {begin, std::min(tokens_of(work), end_ - begin)};
      TRY(multiply(emitter_.products(group, layer, tokens, norms_before), access));
      if (group.kind == GroupKind::kSingle) {
        emitter_.adapt(stream(), group.ops.front(), layer, tokens);
      }
      begin += tokens.n;
    }
    return {};
  }

  /// In slices of rows, where so much at once takes long on a slow device.
  Result<void> multiply(vulkan::Products products, Access access) {
    // Fewer rows would be lost in the cost of the submits.
    constexpr std::uint64_t kLeastWork = 256'000'000;
    const std::uint64_t most = std::max(work_limit_, kLeastWork);
    const std::uint64_t work = work_of(products);
    if (work <= most) {
      // Slices, and single operations, are of one stage: they would share the scratch memory.
      const bool is_alone =
          workspace_.lowering == Lowering::kFused && products.n_tokens == end_ - begin_;
      if (is_alone && products.n_tokens > vulkan::kMaxVecTokens) {
        products.scratch = workspace_.split_scratch;
        access.writes |= kSplitBit;
      }
      TRY(begin_slice(access, work));
      operations_.products(stream(), products);
      return {};
    }
    const bool is_unit =
        products.store == vulkan::Store::kSwiGlu || products.store == vulkan::Store::kGeGlu;
    if (is_unit) return multiply_rows(unit_in_two_parts(products), access, most);
    for (std::uint32_t i = 0; i < products.n_parts; ++i) {
      vulkan::Products one = products;
      one.parts[0] = products.parts[i];
      one.n_parts = 1;
      TRY(multiply_rows(one, access, most));
    }
    return {};
  }

  /// Gates and ups of one matrix as two, of which the same rows can be taken.
  static vulkan::Products unit_in_two_parts(vulkan::Products products) {
    if (products.n_parts == 2) return products;
    const vulkan::Products::Part both = products.parts[0];
    const std::uint32_t n_rows = both.weights.n_rows / 2;
    take_rows(products.parts[0], 0, n_rows);
    products.parts[1] = both;
    take_rows(products.parts[1], n_rows, n_rows);
    products.n_parts = 2;
    return products;
  }

  /// The same rows of all parts together.
  Result<void> multiply_rows(const vulkan::Products& products,
                             const Access& access,
                             std::uint64_t most) {
    constexpr std::uint64_t kRows = 32;                    // of a tile
    static_assert(kRows % vulkan::kMatrixAlignment == 0);  // of each slice's address, too
    const std::uint64_t n_rows = products.parts[0].weights.n_rows;
    assert(n_rows > 0);
    const std::uint64_t row_work = std::max<std::uint64_t>(work_of(products) / n_rows, 1);
    const std::uint64_t step = std::max(most / row_work / kRows * kRows, kRows);
    for (std::uint64_t row = 0; row < n_rows; row += step) {
      const std::uint64_t rows = std::min(step, n_rows - row);
      vulkan::Products slice = products;
      for (std::uint32_t i = 0; i < slice.n_parts; ++i)
        take_rows(slice.parts[i], row, rows);
      TRY(begin_slice(access, rows * row_work));
      operations_.products(stream(), slice);
    }
    return {};
  }

  Result<void> end_pass() {
    stream().barrier();
    if (shape_.end == PassEnd::kNextToken) {
      emitter_.choose_next(stream());
      return {};
    }
    const std::uint64_t bytes = std::uint64_t{shape_.n_logits} * h_.n_vocabulary * sizeof(float);
    stream().copy(*workspace_.logits, 0, *workspace_.host_logits, 0, bytes);
    return {};
  }

  /// How many tokens of so much work each are a slice: whole tiles, as long as the limit allows.
  std::uint32_t tokens_of(std::uint64_t work) const {
    constexpr std::uint64_t kTile = 32;
    constexpr std::uint64_t kMost = 1U << 31;
    return static_cast<std::uint32_t>(
        std::clamp(work_limit_ / std::max<std::uint64_t>(work, 1) / kTile * kTile, kTile, kMost));
  }

  /// Makes room for a slice of a group. Slices write different parts of the output: a barrier
  /// stands before the first alone.
  Result<void> begin_slice(const Access& access, std::uint64_t work) {
    TRY(make_room(work));
    if (parts_.size() != in_order_) order(access);
    in_order_ = parts_.size();
    return {};
  }

  /// The last part, or a new one when this much more would be too much for it.
  Result<void> make_room(std::uint64_t work) {
    if (parts_.empty() || (parts_.back().work > 0 && parts_.back().work + work > work_limit_)) {
      if (!parts_.empty()) TRY(parts_.back().stream.end());
      parts_.push_back({TRY(vulkan::Stream::create(device_, workspace_.timing)), 0});
      const bool may_chain = shape_.end == PassEnd::kNextToken;
      TRY(parts_.back().stream.begin(may_chain ? vulkan::Stream::Runs::kChained
                                               : vulkan::Stream::Runs::kSingle));
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

  /// Multiplications, about.
  std::uint64_t work_per_token(const Group& group) const {
    if (group.find(OpKind::kAttention) != nullptr) {
      return std::uint64_t{2} * h_.n_heads * h_.head_dim * shape_.max_context;
    }
    return place_of(group.ops.front().out, h_).size;
  }

  vulkan::Stream& stream() { return parts_.back().stream; }

  const vulkan::Device& device_;
  const vulkan::Operations& operations_;
  const Workspace& workspace_;
  const HyperParameters& h_;
  const PassShape shape_;
  const std::uint64_t work_limit_;
  const Emitter emitter_;
  std::uint32_t begin_ = 0;  // tokens that still matter
  std::uint32_t end_ = 0;
  Access unordered_;          // since the last barrier
  std::size_t in_order_ = 0;  // number of parts when the group under way was put in order
  std::vector<Part> parts_;
};

}  // namespace

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
                              std::uint32_t n_positions,
                              std::uint64_t work_limit) {
  const trace::Span span("record pass");
  return Recorder(device, operations, workspace, shape, n_positions, work_limit).record();
}

vulkan::HeadShape head_shape(const HyperParameters& h) {
  return {h.head_dim, h.n_heads / h.n_kv_heads, kPageTokens};
}

std::uint64_t scratch_bytes(const HyperParameters& hyper_parameters,
                            vulkan::CacheType cache_type,
                            std::uint32_t chunk_tokens,
                            std::uint32_t max_context) {
  // Fewer tokens are split more often, and not evenly: look at each, of one sequence and of their
  // own. Windows need fewer splits.
  std::uint64_t most = 1;
  for (std::uint32_t n = 1; n <= chunk_tokens; ++n) {
    vulkan::Attention shape = attention_shape(hyper_parameters, cache_type, 0, n, max_context);
    shape.window = 0;
    for (const std::uint32_t page_stride : {0, 1}) {
      shape.cache.page_stride = page_stride;
      most = std::max(most, vulkan::attention_scratch_bytes(shape));
    }
  }
  return most;
}

std::uint64_t counter_bytes(const HyperParameters& hyper_parameters, std::uint32_t chunk_tokens) {
  // Tokens of sequences of their own take the most.
  vulkan::Attention shape =
      attention_shape(hyper_parameters, vulkan::CacheType::kF32, 0, chunk_tokens, 1);
  shape.cache.page_stride = 1;
  return std::uint64_t{vulkan::attention_counters(shape)} * sizeof(std::uint32_t);
}

}  // namespace kinglet::inference::gpu
