// Where the CPU backend keeps keys and values. Bookkeeping is in inference/kv_cache.h.
//
// One layer of one page, for each KV head in turn, of f32 and f16:
//   keys    (head_dim, kPageTokens)          a dimension's values side by side: scores of a page's
//                                            positions are vectors, no horizontal sums
//   values  (kPageTokens, padded(head_dim))  a position's value side by side
// and of quantized formats, for each block of kKvBlock dimensions in turn (the last one padded with
// zeros):
//   scales  f16 (kPageTokens)                a block's of each position
//   quants  q8: int8, of keys (kKvBlock, kPageTokens), of values (kPageTokens, kKvBlock)
//           q4: two in a byte, in two's complement, of keys (kKvBlock / 2, kPageTokens): the low
//           half of row i is dimension 2i, the high one 2i + 1; of values (kPageTokens,
//           kKvBlock / 2): the low half of byte i is dimension i, the high one i + kKvBlock / 2
// The numbers, and the bytes of them all, are those of the format's blocks in model files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "daemon/base/result.h"
#include "inference/kv_cache.h"
#include "inference/models/architecture.h"

namespace kinglet::inference::cpu {

/// The head sizes we take: bounds the memory of rows on the stack.
inline constexpr std::uint32_t kMaxHeadDim = 512;
/// Dimensions that share a scale, in quantized formats.
inline constexpr std::uint32_t kKvBlock = 32;
/// Bytes of the scales before a block's quants.
inline constexpr std::size_t kKvScaleBytes = std::size_t{kPageTokens} * 2;

/// Keys and values of neighbouring positions of one page, of one KV head.
struct KvHeads {
  std::uint32_t slot;  ///< of the first one in its page
  std::uint32_t n_tokens;
  std::uint32_t head_dim;
  const float* keys;    ///< (n_tokens, head_dim), tokens `stride` apart
  const float* values;  ///< likewise
  std::size_t stride;
};

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

  /// Rounds them to the format. Of numbers that are not finite NaN is kept.
  void write(PageId page, std::uint32_t layer, std::uint32_t kv_head, const KvHeads& heads) const;

  void copy_page(PageId from, PageId to) const;

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };

  KvFormat format_ = KvFormat::kF32;
  std::uint32_t n_pages_ = 0;
  std::uint32_t head_dim_ = 0;
  std::size_t key_bytes_ = 0;   // of one head's keys in one layer of one page
  std::size_t head_bytes_ = 0;  // and its values
  std::size_t layer_bytes_ = 0;
  std::uint64_t page_bytes_ = 0;
  std::unique_ptr<std::byte[], Free> bytes_;
};

}  // namespace kinglet::inference::cpu
