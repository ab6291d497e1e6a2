// The operations that the kernels compute, on device addresses. Each method records one operation
// into a stream: it picks the kernel, the grid and the loop bound, and checks (assert) what the
// kernel demands. Orders and barriers are the caller's.
//
// Shapes are row-major, the last dimension contiguous; f32 unless said otherwise.
#pragma once

#include <cstdint>

#include "vulkan/stream.h"

namespace kinglet::vulkan {

/// How weights lie in memory: exactly as in a GGUF file (rows of whole blocks).
enum class WeightType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
};
std::vector<WeightType> all_weight_types();
/// Elements of one block; a row has a whole number of them.
std::uint32_t block_elements(WeightType type);
std::uint32_t block_bytes(WeightType type);

/// How a paged cache holds the elements of a head: in blocks of its own, padded with zeros to whole
/// ones. The heads of a kQ4_0 cache are rotated (kernels/rotation.glsl).
enum class CacheType : std::uint8_t { kF32, kF16, kQ8_0, kQ4_0 };
/// Bytes of one position's key, or value, of one KV head.
std::uint32_t cache_row_bytes(CacheType type, std::uint32_t head_dim);

/// Longer rows do not fit the loop bound of one dispatch (stream.h).
inline constexpr std::uint32_t kMaxColumns = 40'000;
inline constexpr std::uint32_t kMaxHeadDim = 256;
/// Tokens of one operation, a dimension of the grid.
inline constexpr std::uint32_t kMaxTokens = 4'096;

struct Matrix {
  WeightType type = WeightType::kF32;
  DeviceAddress address =
      0;  // (n_rows, n_columns); a multiple of 16 where blocks have many elements
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
};

std::uint64_t row_bytes(const Matrix& matrix);
/// Of a matrix's address where its type has blocks.
inline constexpr std::uint64_t kMatrixAlignment = 16;

struct GetRows {
  Matrix table;
  DeviceAddress ids = 0;  // (n_tokens) u32, each below table.n_rows
  std::uint32_t n_tokens = 0;
  DeviceAddress output = 0;  // (n_tokens, n_columns)
};

struct RmsNorm {
  DeviceAddress input = 0;   // (n_rows, n_columns)
  DeviceAddress weight = 0;  // (n_columns)
  DeviceAddress output = 0;  // (n_rows, n_columns); may be the input
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
  float epsilon = 0;
};

struct LayerNorm {
  DeviceAddress input = 0;   // (n_rows, n_columns)
  DeviceAddress weight = 0;  // (n_columns)
  DeviceAddress bias = 0;    // (n_columns); 0: none
  DeviceAddress output = 0;  // (n_rows, n_columns); may be the input
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
  float epsilon = 0;
};

struct HeadRmsNorm {
  DeviceAddress heads = 0;   // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress weight = 0;  // (head_dim)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t row_stride = 0;  // elements
  float epsilon = 0;
};

struct MulMat {
  Matrix weights;
  DeviceAddress input = 0;   // (n_tokens, input_stride): n_columns elements of each row
  DeviceAddress output = 0;  // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t input_stride = 0;   // elements; 0: n_columns
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  DeviceAddress bias = 0;           // (n_rows), added to each token's output; 0: none
};

/// What a low-rank product adds: output += scale · weights^T · input.
struct LowRankAdd {
  DeviceAddress weights = 0;  // (n_columns, n_rows) f32: the matrix, transposed
  DeviceAddress input = 0;    // (n_tokens, n_columns)
  DeviceAddress output = 0;   // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;      // few: one invocation adds them up
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  float scale = 1;
};

/// Multiplications that mul_mat() does: tiles are computed whole, however few tokens they hold.
std::uint64_t mul_mat_work(const MulMat& op);

struct Rope {
  DeviceAddress heads = 0;      // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress positions = 0;  // (n_tokens) u32
  DeviceAddress table = 0;      // (n_positions, n_rotated / 2, 2): cos, sin
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t n_rotated = 0;   // even, at most head_dim
  std::uint32_t row_stride = 0;  // elements
};

/// One layer's keys and values: each (n_pages, n_kv_heads, page_tokens) rows of cache_row_bytes().
struct PagedCache {
  CacheType type = CacheType::kF32;
  DeviceAddress keys = 0;
  DeviceAddress values = 0;
  DeviceAddress pages = 0;  // u32: the sequence's n-th page → page in the cache
  std::uint32_t page_tokens = 0;
  std::uint32_t n_kv_heads = 0;
  std::uint32_t head_dim = 0;
};

struct CacheWrite {
  PagedCache cache;
  DeviceAddress keys = 0;       // (n_tokens, row_stride): n_kv_heads · head_dim of each row
  DeviceAddress values = 0;     // likewise
  DeviceAddress positions = 0;  // (n_tokens) u32, different ones
  std::uint32_t n_tokens = 0;
  std::uint32_t row_stride = 0;
};

struct Attention {
  PagedCache cache;
  DeviceAddress queries = 0;    // (n_tokens, row_stride): n_heads · head_dim elements of each row
  DeviceAddress positions = 0;  // (n_tokens) u32; a token sees its own position and those before
  DeviceAddress scratch = 0;    // attention_scratch_bytes()
  DeviceAddress output = 0;     // (n_tokens, n_heads, head_dim)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_heads = 0;  // a multiple of cache.n_kv_heads
  std::uint32_t row_stride = 0;
  std::uint32_t max_context = 0;  // no position is this high or higher
  std::uint32_t window = 0;       // a token sees this many positions, its own included; 0: all
  float scale = 0;                // usually 1 / sqrt(head_dim)
  float soft_cap = 0;             // scaled scores s become soft_cap · tanh(s / soft_cap); 0: not
};
std::uint64_t attention_scratch_bytes(const Attention& op);

/// SwiGLU, GeGLU.
struct GatedLinear {
  DeviceAddress gate_up = 0;  // (n_tokens, 2 · n_columns): gates, then ups
  DeviceAddress output = 0;   // (n_tokens, n_columns)
  std::uint32_t n_tokens = 0;
  std::uint32_t n_columns = 0;
};

/// Operations on single elements, in place.
struct Elementwise {
  DeviceAddress values = 0;  // (n_tokens, row_stride): n_columns elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t n_columns = 0;
  std::uint32_t row_stride = 0;  // elements; 0: n_columns
};

struct Add {
  DeviceAddress a = 0;  // (n_elements)
  DeviceAddress b = 0;
  DeviceAddress output = 0;  // may be a or b
  std::uint32_t n_elements = 0;
};

/// The formats that operations will be asked for.
struct Formats {
  std::vector<WeightType> weights = all_weight_types();
  std::vector<CacheType> caches = {
      CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0};
};

class Operations {
 public:
  /// Compiles the kernels that these formats need; `pipelines` outlives the operations.
  static Result<Operations> create(Pipelines& pipelines, const Formats& formats = {});

  void get_rows(Stream& stream, const GetRows& op) const;
  void rms_norm(Stream& stream, const RmsNorm& op) const;
  void layer_norm(Stream& stream, const LayerNorm& op) const;
  void head_rms_norm(Stream& stream, const HeadRmsNorm& op) const;
  /// mul_mat_vec for few tokens, mul_mat_tiled for many.
  void mul_mat(Stream& stream, const MulMat& op) const;
  void mul_mat_vec(Stream& stream, const MulMat& op) const;
  void mul_mat_tiled(Stream& stream, const MulMat& op) const;
  void low_rank_add(Stream& stream, const LowRankAdd& op) const;
  /// Dimension i turns with i + n_rotated / 2.
  void rope_neox(Stream& stream, const Rope& op) const;
  /// Dimension 2i turns with 2i + 1.
  void rope_interleaved(Stream& stream, const Rope& op) const;
  void cache_write(Stream& stream, const CacheWrite& op) const;
  /// Two dispatches with a barrier between.
  void attention(Stream& stream, const Attention& op) const;
  void swiglu(Stream& stream, const GatedLinear& op) const;
  void geglu(Stream& stream, const GatedLinear& op) const;
  void gelu(Stream& stream, const Elementwise& op) const;
  void scale(Stream& stream, const Elementwise& op, float factor) const;
  /// values become cap · tanh(values / cap); cap > 0.
  void soft_cap(Stream& stream, const Elementwise& op, float cap) const;
  void add(Stream& stream, const Add& op) const;

  std::size_t n_kernels() const { return pipelines_.size(); }

 private:
  explicit Operations(const Device& device) : device_(&device) {}
  Groups folded(std::uint32_t n_groups, std::uint32_t z = 1) const;
  void rope(Stream& stream, std::string_view kernel, const Rope& op) const;
  void gated_linear(Stream& stream, std::string_view kernel, const GatedLinear& op) const;
  const Pipeline& pipeline(std::string_view name) const;

  const Device* device_;
  std::map<std::string_view, const Pipeline*> pipelines_;
};

}  // namespace kinglet::vulkan
