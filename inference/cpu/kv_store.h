// Where the CPU backend keeps keys and values. Bookkeeping is in inference/kv_cache.h.
//
// One layer of one page, for each KV head in turn, of f32 and f16:
//   keys    (head_dim, kPageTokens)          a dimension's values side by side: scores of a page's
//                                            positions are vectors, no horizontal sums
//   values  (kPageTokens, padded(head_dim))  a position's value side by side
// and of quantized formats, whose blocks belong to one position:
//   keys, values  (kPageTokens, kv_row_bytes)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "daemon/base/result.h"
#include "inference/kv_cache.h"
#include "inference/models/architecture.h"

namespace kinglet::inference::cpu {

/// The head sizes we take: bounds the memory of rows on the stack.
inline constexpr std::uint32_t kMaxHeadDim = 512;

class KvStore {
 public:
  /// Error: kOutOfMemory when the bytes exceed this machine's memory or cannot be had. Memory is
  /// only reserved: a page costs nothing until it is written.
  static Result<KvStore> create(const HyperParameters& hyper_parameters,
                                KvFormat format,
                                std::uint32_t n_pages);

  KvFormat format() const { return format_; }
  std::uint64_t n_bytes() const { return page_bytes_ * n_pages_; }

  std::byte* keys(PageId page, std::uint32_t layer, std::uint32_t kv_head) const {
    return bytes_.get() + index_of(page) * page_bytes_ + layer * layer_bytes_ +
           kv_head * head_bytes_;
  }
  std::byte* values(PageId page, std::uint32_t layer, std::uint32_t kv_head) const {
    return keys(page, layer, kv_head) + key_bytes_;
  }

  /// Writes one position: keys and values (n_kv_heads, head_dim), rounded to the format. Of numbers
  /// that are not finite NaN is kept.
  void write(PageId page,
             std::uint32_t slot,
             std::uint32_t layer,
             const float* keys,
             const float* values) const;

  void copy_page(PageId from, PageId to) const;

 private:
  /// Of a quantized format.
  void write_row(const float* numbers, std::byte* out) const;

  KvFormat format_ = KvFormat::kF32;
  std::uint32_t n_pages_ = 0;
  std::uint32_t n_kv_heads_ = 0;
  std::uint32_t head_dim_ = 0;
  std::size_t key_bytes_ = 0;   // of one head's keys in one layer of one page
  std::size_t head_bytes_ = 0;  // and its values
  std::size_t layer_bytes_ = 0;
  std::uint64_t page_bytes_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace kinglet::inference::cpu
