#include "vulkan/operations.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace kinglet::vulkan {

namespace {

// As in the kernels' own layout; Stream::dispatch checks the sizes against the SPIR-V. Packed,
// because a push block of scalars ends where its last member does.
#pragma pack(push, 4)
struct GetRowsPush {
  DeviceAddress table, ids, output;
  std::uint32_t n_columns;
};
struct RmsNormPush {
  DeviceAddress input, weight, output;
  std::uint32_t n_rows, n_columns;
  float epsilon;
};
struct LayerNormPush {
  DeviceAddress input, weight, bias, output;
  std::uint32_t n_rows, n_columns;
  float epsilon;
};
struct HeadRmsNormPush {
  DeviceAddress heads, weight;
  std::uint32_t head_dim, row_stride;
  float epsilon;
};
struct MulMatVecPush {
  DeviceAddress weights, bias, input, output;
  std::uint32_t n_rows, n_columns, input_stride, output_stride;
};
struct MulMatPush {
  DeviceAddress weights, bias, input, output;
  std::uint32_t n_rows, n_columns, input_stride, output_stride, n_tokens;
};
struct LowRankAddPush {
  DeviceAddress weights, input, output;
  std::uint32_t n_rows, n_columns, output_stride;
  float scale;
};
struct RopePush {
  DeviceAddress heads, positions, table;
  std::uint32_t n_heads, head_dim, n_rotated, row_stride;
};
struct CacheWritePush {
  DeviceAddress keys, values, positions, pages, key_cache, value_cache;
  std::uint32_t n_kv_heads, head_dim, row_stride, page_tokens;
};
struct AttentionPush {
  DeviceAddress queries, positions, pages, key_cache, value_cache, partials;
  std::uint32_t n_heads, n_kv_heads, head_dim, row_stride, page_tokens, split_tokens, window;
  float scale, soft_cap;
};
struct CombinePush {
  DeviceAddress partials, output;
  std::uint32_t n_splits, head_dim;
};
struct GatedLinearPush {
  DeviceAddress gate_up, output;
  std::uint32_t n_columns;
};
struct GeluPush {
  DeviceAddress values;
  std::uint32_t n_columns, row_stride;
};
// Of scale and soft_cap: the factor, the cap.
struct ScalarPush {
  DeviceAddress values;
  std::uint32_t n_columns, row_stride;
  float scalar;
};
struct AddPush {
  DeviceAddress a, b, output;
  std::uint32_t n_elements;
};
#pragma pack(pop)

// The constants of the kernels' files of the same names.
constexpr std::uint32_t kElementwise = 64;  // invocations of a workgroup
constexpr std::uint32_t kNormWorkgroup = 256;
constexpr std::uint32_t kHeadWorkgroup = 64;
constexpr std::uint32_t kVecWorkgroup = 64;
constexpr std::uint32_t kVecRows = 4;
constexpr std::uint32_t kTile = 32;
constexpr std::uint32_t kDepth = 32;
constexpr std::uint32_t kTileLoads = 4;
constexpr std::uint32_t kAttentionWorkgroup = 64;
// What one invocation's loops take at most in rotation.glsl and to quantize a block.
constexpr std::uint64_t kRotationIterations = 100;
constexpr std::uint64_t kWriteBlockIterations = kRotationIterations + 80;
// Up to here one matvec per token reads the weights less often than tiles waste lanes.
constexpr std::uint32_t kMaxVecTokens = 4;

constexpr std::uint32_t divide_up(std::uint32_t value, std::uint32_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

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

void check([[maybe_unused]] const Matrix& matrix) {
  assert(matrix.n_rows > 0 && matrix.n_columns > 0 && matrix.n_columns <= kMaxColumns);
  assert(matrix.n_columns % block_elements(matrix.type) == 0);
  assert(block_elements(matrix.type) == 1 || matrix.address % kMatrixAlignment == 0);
}

std::uint32_t stride_or(std::uint32_t stride, std::uint32_t n_elements) {
  assert(stride == 0 || stride >= n_elements);
  return stride != 0 ? stride : n_elements;
}

Groups elementwise_groups(const Elementwise& op) {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  return {divide_up(op.n_columns, kElementwise), op.n_tokens, 1};
}

// In the order of WeightType.
struct WeightFormat {
  std::string_view suffix;  // of kernel names
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};
constexpr std::array kWeightFormats = {
    WeightFormat{"_f32", 1, 4},
    WeightFormat{"_f16", 1, 2},
    WeightFormat{"_bf16", 1, 2},
    WeightFormat{"_q4_0", 32, 18},
    WeightFormat{"_q4_1", 32, 20},
    WeightFormat{"_q5_0", 32, 22},
    WeightFormat{"_q5_1", 32, 24},
    WeightFormat{"_q8_0", 32, 34},
    WeightFormat{"_q4_k", 256, 144},
    WeightFormat{"_q5_k", 256, 176},
    WeightFormat{"_q6_k", 256, 210},
    WeightFormat{"_iq4_nl", 32, 18},
    WeightFormat{"_iq4_xs", 256, 136},
};

const WeightFormat& format_of(WeightType type) {
  return kWeightFormats.at(static_cast<std::size_t>(type));
}

std::string_view suffix(WeightType type) {
  return format_of(type).suffix;
}

/// Blocks of a cache are those of weights.
WeightType block_type(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return WeightType::kF32;
    case CacheType::kF16:
      return WeightType::kF16;
    case CacheType::kQ8_0:
      return WeightType::kQ8_0;
    case CacheType::kQ4_0:
      break;
  }
  return WeightType::kQ4_0;
}

bool is_rotated(CacheType type) {
  return type == CacheType::kQ4_0;
}

std::string name(std::string_view operation, std::string_view type) {
  return std::string(operation) += type;
}

}  // namespace

std::vector<WeightType> all_weight_types() {
  std::vector<WeightType> types;
  for (std::size_t i = 0; i < kWeightFormats.size(); ++i)
    types.push_back(static_cast<WeightType>(i));
  return types;
}

std::uint32_t block_elements(WeightType type) {
  return format_of(type).block_elements;
}

std::uint32_t block_bytes(WeightType type) {
  return format_of(type).block_bytes;
}

std::uint64_t row_bytes(const Matrix& matrix) {
  return std::uint64_t{matrix.n_columns} / block_elements(matrix.type) * block_bytes(matrix.type);
}

std::uint32_t cache_row_bytes(CacheType type, std::uint32_t head_dim) {
  const WeightType blocks = block_type(type);
  return divide_up(head_dim, block_elements(blocks)) * block_bytes(blocks);
}

Result<Operations> Operations::create(Pipelines& pipelines, const Formats& formats) {
  std::vector<std::string> names = {"add",
                                    "attention_combine",
                                    "geglu",
                                    "gelu",
                                    "head_rms_norm",
                                    "layer_norm",
                                    "low_rank_add",
                                    "rms_norm",
                                    "rope_interleaved",
                                    "rope_neox",
                                    "scale",
                                    "soft_cap",
                                    "swiglu"};
  for (const WeightType type : formats.weights) {
    for (const char* operation : {"get_rows", "mul_mat", "mul_mat_vec"}) {
      names.push_back(name(operation, suffix(type)));
    }
  }
  for (const CacheType type : formats.caches) {
    for (const char* operation : {"attention", "cache_write"}) {
      names.push_back(name(operation, suffix(block_type(type))));
    }
    if (is_rotated(type)) names.emplace_back("attention_combine_rotated");
  }
  Operations operations(pipelines.device());
  for (const std::string& wanted : names) {
    const Kernel& row = kernel(wanted);
    operations.pipelines_[row.name] = TRY(pipelines.get(row));
  }
  return operations;
}

const Pipeline& Operations::pipeline(std::string_view name) const {
  const auto found = pipelines_.find(name);
  assert(found != pipelines_.end());
  return *found->second;
}

Groups Operations::folded(std::uint32_t n_groups, std::uint32_t z) const {
  const std::uint32_t limit = device_->info().max_group_count;
  const std::uint32_t y = divide_up(n_groups, limit);
  return {divide_up(n_groups, y), y, z};
}

void Operations::get_rows(Stream& stream, const GetRows& op) const {
  check(op.table);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  stream.dispatch(pipeline(name("get_rows", suffix(op.table.type))),
                  GetRowsPush{op.table.address, op.ids, op.output, op.table.n_columns},
                  {divide_up(op.table.n_columns, kElementwise), op.n_tokens, 1},
                  0);
}

void Operations::rms_norm(Stream& stream, const RmsNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(pipeline("rms_norm"),
                  RmsNormPush{op.input, op.weight, op.output, op.n_rows, op.n_columns, op.epsilon},
                  folded(op.n_rows),
                  2 * passes + kNormWorkgroup);
}

void Operations::layer_norm(Stream& stream, const LayerNorm& op) const {
  assert(op.n_rows > 0 && op.n_columns > 0);
  const std::uint64_t passes = divide_up(op.n_columns, kNormWorkgroup);
  stream.dispatch(
      pipeline("layer_norm"),
      LayerNormPush{op.input, op.weight, op.bias, op.output, op.n_rows, op.n_columns, op.epsilon},
      folded(op.n_rows),
      3 * passes + std::uint64_t{2} * kNormWorkgroup);
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

std::uint64_t mul_mat_work(const MulMat& op) {
  const std::uint64_t n_tokens =
      op.n_tokens <= kMaxVecTokens ? op.n_tokens : divide_up(op.n_tokens, kTile) * kTile;
  return n_tokens * op.weights.n_rows * op.weights.n_columns;
}

void Operations::mul_mat(Stream& stream, const MulMat& op) const {
  if (op.n_tokens <= kMaxVecTokens) {
    mul_mat_vec(stream, op);
  } else {
    mul_mat_tiled(stream, op);
  }
}

void Operations::mul_mat_vec(Stream& stream, const MulMat& op) const {
  check(op.weights);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  const std::uint64_t passes = divide_up(op.weights.n_columns, kVecWorkgroup * 4);
  stream.dispatch(pipeline(name("mul_mat_vec", suffix(op.weights.type))),
                  MulMatVecPush{op.weights.address,
                                op.bias,
                                op.input,
                                op.output,
                                op.weights.n_rows,
                                op.weights.n_columns,
                                stride_or(op.input_stride, op.weights.n_columns),
                                stride_or(op.output_stride, op.weights.n_rows)},
                  folded(divide_up(op.weights.n_rows, kVecRows), op.n_tokens),
                  passes * (1 + kVecRows) + std::uint64_t{2} * kVecRows + kVecWorkgroup);
}

void Operations::mul_mat_tiled(Stream& stream, const MulMat& op) const {
  check(op.weights);
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  const std::uint64_t passes = divide_up(op.weights.n_columns, kDepth);
  stream.dispatch(pipeline(name("mul_mat", suffix(op.weights.type))),
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
  stream.dispatch(pipeline(name("cache_write", suffix(block_type(op.cache.type)))),
                  CacheWritePush{op.keys,
                                 op.values,
                                 op.positions,
                                 op.cache.pages,
                                 op.cache.keys,
                                 op.cache.values,
                                 op.cache.n_kv_heads,
                                 op.cache.head_dim,
                                 op.row_stride,
                                 op.cache.page_tokens},
                  is_in_blocks ? Groups{op.cache.n_kv_heads, op.n_tokens, 2}
                               : Groups{divide_up(n_elements, kElementwise), op.n_tokens, 1},
                  is_in_blocks ? kWriteBlockIterations : 0);
}

std::uint64_t attention_scratch_bytes(const Attention& op) {
  return std::uint64_t{op.n_tokens} * op.n_heads * attention_splits(op).count *
         (op.cache.head_dim + 2) * sizeof(float);
}

void Operations::attention(Stream& stream, const Attention& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens);
  assert(op.max_context > 0 && op.cache.head_dim > 0 && op.cache.head_dim <= kMaxHeadDim);
  assert(op.cache.n_kv_heads > 0 && op.n_heads % op.cache.n_kv_heads == 0);
  const Splits splits = attention_splits(op);
  stream.dispatch(pipeline(name("attention", suffix(block_type(op.cache.type)))),
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

void Operations::swiglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "swiglu", op);
}

void Operations::geglu(Stream& stream, const GatedLinear& op) const {
  gated_linear(stream, "geglu", op);
}

void Operations::gated_linear(Stream& stream,
                              std::string_view kernel,
                              const GatedLinear& op) const {
  assert(op.n_tokens > 0 && op.n_tokens <= kMaxTokens && op.n_columns > 0);
  stream.dispatch(pipeline(kernel),
                  GatedLinearPush{op.gate_up, op.output, op.n_columns},
                  {divide_up(op.n_columns, kElementwise), op.n_tokens, 1},
                  0);
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

void Operations::gelu(Stream& stream, const Elementwise& op) const {
  stream.dispatch(pipeline("gelu"),
                  GeluPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns)},
                  elementwise_groups(op),
                  0);
}

void Operations::scale(Stream& stream, const Elementwise& op, float factor) const {
  stream.dispatch(
      pipeline("scale"),
      ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), factor},
      elementwise_groups(op),
      0);
}

void Operations::soft_cap(Stream& stream, const Elementwise& op, float cap) const {
  assert(cap > 0);
  stream.dispatch(pipeline("soft_cap"),
                  ScalarPush{op.values, op.n_columns, stride_or(op.row_stride, op.n_columns), cap},
                  elementwise_groups(op),
                  0);
}

void Operations::add(Stream& stream, const Add& op) const {
  assert(op.n_elements > 0);
  stream.dispatch(pipeline("add"),
                  AddPush{op.a, op.b, op.output, op.n_elements},
                  folded(divide_up(op.n_elements, kElementwise)),
                  0);
}

}  // namespace kinglet::vulkan
