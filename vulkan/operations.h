// The operations that the kernels compute, on device addresses. Each method records one operation
// into a stream: it picks the kernel, the grid and the loop bound, and checks (assert) what the
// kernel demands. Orders and barriers are the caller's.
//
// Shapes are row-major, the last dimension contiguous; f32 unless said otherwise.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "vulkan/operations/argmax.h"
#include "vulkan/operations/attention.h"
#include "vulkan/operations/elementwise.h"
#include "vulkan/operations/formats.h"
#include "vulkan/operations/products.h"
#include "vulkan/stream.h"

namespace kinglet::vulkan {

class Operations {
 public:
  /// Compiles the kernels that these formats need; `pipelines` outlives the operations. Where the
  /// path is kAuto and a driver fails to compile for the cooperative matrices that it offers,
  /// halves are multiplied without them: without_matrices() says so.
  static Result<Operations> create(Pipelines& pipelines, const Formats& formats = {});
  /// The driver's error; empty if there was none.
  const std::string& without_matrices() const { return without_matrices_; }

  void get_rows(Stream& stream, const GetRows& op) const;
  void rms_norm(Stream& stream, const RmsNorm& op) const;
  void layer_norm(Stream& stream, const LayerNorm& op) const;
  void head_rms_norm(Stream& stream, const HeadRmsNorm& op) const;
  /// One dispatch for the parts of each block format, without barriers between.
  void products(Stream& stream, const Products& op) const;
  /// The way for few tokens; up to kMaxVecTokens. Its path is kFloat or kIntegerDot: the one that
  /// was asked for, where the device can take it.
  void products_vec(Stream& stream, const Products& op) const;
  /// One plain product.
  void mul_mat(Stream& stream, const MulMat& op) const;
  /// The way for many tokens: in tiles. A barrier stands inside where columns are split.
  void products_tiled(Stream& stream, const Products& op) const;
  void low_rank_add(Stream& stream, const LowRankAdd& op) const;
  /// Dimension i turns with i + n_rotated / 2.
  void rope_neox(Stream& stream, const Rope& op) const;
  /// Dimension 2i turns with 2i + 1.
  void rope_interleaved(Stream& stream, const Rope& op) const;
  void rope_store(Stream& stream, const RopeStore& op) const;
  void attention(Stream& stream, const Attention& op) const;
  /// rope_store() and attention() of the same queries in one dispatch, where that can be: of one
  /// token, or one of each sequence, without norms. The queries stay as they were.
  bool can_store_and_attend(const RopeStore& store, const Attention& op) const;
  void store_and_attend(Stream& stream, const RopeStore& store, const Attention& op) const;
  void swiglu(Stream& stream, const GatedLinear& op) const;
  void geglu(Stream& stream, const GatedLinear& op) const;
  void gelu(Stream& stream, const Elementwise& op) const;
  void scale(Stream& stream, const Elementwise& op, float factor) const;
  /// values become cap · tanh(values / cap); cap > 0.
  void soft_cap(Stream& stream, const Elementwise& op, float cap) const;
  void add(Stream& stream, const Add& op) const;
  void argmax(Stream& stream, const Argmax& op) const;

  /// The kernels it was created with, and each as it was compiled.
  std::set<std::string_view> kernels() const;
  const std::map<std::pair<std::string_view, Specialization>, const Pipeline*>& pipelines() const {
    return pipelines_;
  }

 private:
  static Result<Operations> compile(Pipelines& pipelines,
                                    const Formats& formats,
                                    const Tiling& tiling);
  Operations(const Device& device, const Formats& formats, Tiling tiling)
      : device_(&device),
        product_path_(formats.product_path),
        tuning_(formats.tuning),
        tiling_(std::move(tiling)),
        attention_rows_(formats.attention_rows) {}
  Groups folded(std::uint32_t n_groups, std::uint32_t z = 1) const;
  std::uint32_t rows_of_tiles(std::uint32_t group) const;
  const Pipeline& tile_pipeline(const PagedCache& cache) const;
  void attend(Stream& stream, const Attention& op, const RopeStore* store) const;
  void rope(Stream& stream, std::string_view kernel, const Rope& op) const;
  void gated_linear(Stream& stream,
                    std::string_view kernel,
                    const GatedLinear& op,
                    const Traffic& traffic) const;
  /// As the family's add_…_kernels() (operations/support.h) asked for it.
  const Pipeline& pipeline(std::string_view name, const Specialization& specialization = {}) const;

  const Device* device_;
  ProductPath product_path_;
  Tuning tuning_;
  Tiling tiling_;
  std::uint32_t attention_rows_;
  std::string without_matrices_;
  std::map<std::pair<std::string_view, Specialization>, const Pipeline*> pipelines_;
};

}  // namespace kinglet::vulkan
