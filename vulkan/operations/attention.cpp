#include "vulkan/operations/attention.h"

#include <algorithm>
#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct HeadRmsNormPush {
  DeviceAddress heads, weight;
  std::uint32_t head_dim, row_stride;
  float epsilon;
};
struct RopePush {
  DeviceAddress heads, positions, table;
  std::uint32_t n_heads, head_dim, n_rotated, row_stride;
};
struct CacheWritePush {
  DeviceAddress keys, values, positions, pages, key_cache, value_cache;
  std::uint32_t n_kv_heads, head_dim, row_stride, page_tokens, page_stride;
};
struct AttentionPush {
  DeviceAddress queries, positions, pages, key_cache, value_cache, partials;
  std::uint32_t n_heads, n_kv_heads, head_dim, row_stride, page_tokens, page_stride, split_tokens,
      window;
  float scale, soft_cap;
};
struct CombinePush {
  DeviceAddress partials, output;
  std::uint32_t n_splits, head_dim;
};
#pragma pack(pop)

// The constants of the kernels' files of the same names.
constexpr std::uint32_t kHeadWorkgroup = 64;
constexpr std::uint32_t kAttentionWorkgroup = 64;
// What one invocation's loops take at most in rotation.glsl and to quantize a block.
constexpr std::uint64_t kRotationIterations = 100;
constexpr std::uint64_t kWriteBlockIterations = kRotationIterations + 80;

struct Splits {
  std::uint32_t tokens;  // positions of one split, a multiple of the workgroup
  std::uint32_t count;
};

// Many splits fill the device when there are few tokens; many tokens do so by themselves, and their
// scratch memory counts. A split stays far below the loop bound.
Splits attention_splits(const Attention& op) {
  constexpr std::uint32_t kLeast = 256;
  constexpr std::uint32_t kMost = 6'400;
  const std::uint32_t wished = std::clamp<std::uint32_t>(1'024 / op.n_tokens, 1, 64);
  const std::uint32_t tokens = std::clamp(divide_up(op.max_context, wished), kLeast, kMost);
  const std::uint32_t whole = divide_up(tokens, kAttentionWorkgroup) * kAttentionWorkgroup;
  return {whole, divide_up(op.max_context, whole)};
}

// What one invocation's loops take in attention.glsl.
std::uint64_t attention_iterations(const PagedCache& cache, std::uint32_t split_tokens) {
  constexpr std::uint32_t kOwned = kMaxHeadDim / kAttentionWorkgroup;
  const std::uint64_t reductions = 2 * std::uint64_t{kAttentionWorkgroup};
  const std::uint64_t score = cache.head_dim / 4 + 3;
  const std::uint64_t values = std::uint64_t{kAttentionWorkgroup} * (1 + kOwned);
  const std::uint64_t blocks = divide_up(split_tokens, kAttentionWorkgroup);
  return blocks * (1 + kOwned + reductions + score + values) + std::uint64_t{3} * kOwned +
         kRotationIterations;
}

bool is_rotated(CacheType type) {
  return type == CacheType::kQ4_0;
}

}  // namespace

void add_attention_kernels(const Formats& formats, std::vector<KernelUse>& uses) {
  for (const char* name : {"attention_combine", "head_rms_norm", "rope_interleaved", "rope_neox"}) {
    uses.push_back({name});
  }
  for (const CacheType type : formats.caches) {
    uses.push_back({kernel_name("attention", block_type(type))});
    uses.push_back({kernel_name("cache_write", block_type(type))});
    if (is_rotated(type)) uses.push_back({"attention_combine_rotated"});
  }
}

void Operations::head_rms_norm(Stream& stream, const HeadRmsNorm& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.head_dim > 0 && op.n_heads > 0 && op.n_heads * op.head_dim <= op.row_stride);
  const std::uint64_t passes = divide_up(op.head_dim, kHeadWorkgroup);
  stream.dispatch(pipeline("head_rms_norm"),
                  HeadRmsNormPush{op.heads, op.weight, op.head_dim, op.row_stride, op.epsilon},
                  {op.n_heads, op.n_tokens, 1},
                  2 * passes + kHeadWorkgroup);
}

void Operations::rope_neox(Stream& stream, const Rope& op) const {
  rope(stream, "rope_neox", op);
}

void Operations::rope_interleaved(Stream& stream, const Rope& op) const {
  rope(stream, "rope_interleaved", op);
}

void Operations::rope(Stream& stream, std::string_view kernel, const Rope& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.n_rotated > 0 && op.n_rotated % 2 == 0 && op.n_rotated <= op.head_dim);
  assert(op.n_heads * op.head_dim <= op.row_stride);
  stream.dispatch(
      pipeline(kernel),
      RopePush{
          op.heads, op.positions, op.table, op.n_heads, op.head_dim, op.n_rotated, op.row_stride},
      {divide_up(op.n_heads * (op.n_rotated / 2), kElementwise), op.n_tokens, 1},
      0);
}

void Operations::cache_write(Stream& stream, const CacheWrite& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.cache.head_dim > 0 && op.cache.head_dim <= kMaxHeadDim);
  // A workgroup for each head where its blocks are made together, else an invocation an element.
  const bool is_in_blocks = block_elements(block_type(op.cache.type)) > 1;
  const std::uint32_t n_elements = op.cache.n_kv_heads * op.cache.head_dim;
  stream.dispatch(pipeline(kernel_name("cache_write", block_type(op.cache.type))),
                  CacheWritePush{op.keys,
                                 op.values,
                                 op.positions,
                                 op.cache.pages,
                                 op.cache.keys,
                                 op.cache.values,
                                 op.cache.n_kv_heads,
                                 op.cache.head_dim,
                                 op.row_stride,
                                 op.cache.page_tokens,
                                 op.cache.page_stride},
                  is_in_blocks ? Groups{op.cache.n_kv_heads, op.n_tokens, 2}
                               : Groups{divide_up(n_elements, kElementwise), op.n_tokens, 1},
                  is_in_blocks ? kWriteBlockIterations : 0);
}

void Operations::rope_store(Stream& stream, const RopeStore& op) const {
  const PagedCache& cache = op.cache;
  if (op.query_norm != 0 || op.key_norm != 0) {
    const auto norm = [&](DeviceAddress heads, DeviceAddress weight, std::uint32_t n_heads) {
      if (weight == 0 || n_heads == 0) return;
      head_rms_norm(
          stream,
          {heads, weight, op.n_tokens, n_heads, cache.head_dim, op.row_stride, op.norm_epsilon});
    };
    norm(op.queries, op.query_norm, op.n_heads);
    norm(op.keys, op.key_norm, cache.n_kv_heads);
    stream.barrier();
  }
  if (op.n_rotated > 0) {
    const char* const kernel = op.style == RopeStyle::kNeox ? "rope_neox" : "rope_interleaved";
    const auto turn = [&](DeviceAddress heads, std::uint32_t n_heads) {
      if (n_heads == 0) return;
      rope(stream,
           kernel,
           {heads,
            op.positions,
            op.table,
            op.n_tokens,
            n_heads,
            cache.head_dim,
            op.n_rotated,
            op.row_stride});
    };
    turn(op.queries, op.n_heads);
    turn(op.keys, cache.n_kv_heads);
    stream.barrier();
  }
  cache_write(stream, {cache, op.keys, op.values, op.positions, op.n_tokens, op.row_stride});
}

std::uint64_t attention_scratch_bytes(const Attention& op) {
  return std::uint64_t{op.n_tokens} * op.n_heads * attention_splits(op).count *
         (op.cache.head_dim + 2) * sizeof(float);
}

std::uint32_t attention_counters(const Attention& op) {
  return op.n_tokens * op.cache.n_kv_heads;
}

void Operations::attention(Stream& stream, const Attention& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.max_context > 0 && op.cache.head_dim > 0 && op.cache.head_dim <= kMaxHeadDim);
  assert(op.cache.n_kv_heads > 0 && op.n_heads % op.cache.n_kv_heads == 0);
  const Splits splits = attention_splits(op);
  stream.dispatch(pipeline(kernel_name("attention", block_type(op.cache.type))),
                  AttentionPush{op.queries,
                                op.positions,
                                op.cache.pages,
                                op.cache.keys,
                                op.cache.values,
                                op.scratch,
                                op.n_heads,
                                op.cache.n_kv_heads,
                                op.cache.head_dim,
                                op.row_stride,
                                op.cache.page_tokens,
                                op.cache.page_stride,
                                splits.tokens,
                                op.window,
                                op.scale,
                                op.soft_cap},
                  {op.n_heads, splits.count, op.n_tokens},
                  attention_iterations(op.cache, splits.tokens));
  stream.barrier();
  const std::uint64_t owned = divide_up(op.cache.head_dim, kElementwise);
  stream.dispatch(
      pipeline(is_rotated(op.cache.type) ? "attention_combine_rotated" : "attention_combine"),
      CombinePush{op.scratch, op.output, splits.count, op.cache.head_dim},
      {op.n_heads, op.n_tokens, 1},
      splits.count * (1 + owned) + 2 * owned + kRotationIterations);
}

}  // namespace kinglet::vulkan
