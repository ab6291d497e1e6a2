// Bookkeeping of the KV cache: which pages a sequence's keys and values lie in. The bytes are the
// backend's; here are only ids, so every backend shares this file.
//
// A page holds kPageTokens positions of every layer. A sequence is a list of pages, a page may
// belong to several sequences: a fork shares all pages of its origin and costs nothing. Nobody
// writes to a page that others read: whoever appends to a shared, partly filled last page first
// gets a copy of it (copy on write), and the backend is told which bytes to copy. Full pages are
// never written again, so they stay shared.
//
//   fork:    A  [p0][p1][p2..]      append to B:   A  [p0][p1][p2..]
//            B  [p0][p1][p2..]                     B  [p0][p1][p3...]   copy p2 -> p3
//
// Not thread-safe: a pool and its tables belong to the one thread that submits work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/quant/block_format.h"

namespace kinglet::inference {

/// Positions in a page. The width that CPU attention works in and a subgroup's usual size.
inline constexpr std::uint32_t kPageTokens = 32;

constexpr std::uint32_t pages_for(std::uint32_t n_tokens) {
  return n_tokens / kPageTokens + (n_tokens % kPageTokens != 0 ? 1 : 0);
}

/// How keys and values are stored. A head's key or value is a row of blocks of its own, padded with
/// zeros to whole ones.
enum class KvFormat : std::uint8_t {
  kF32,   // precision class exact
  kF16,   // half the bytes; logits within 2e-2 of the reference's standard deviation
  kQ8_0,  // Q8_0 blocks: 34 bytes for 32 numbers
  kQ4_0,  // Q4_0 blocks: 18 bytes for 32 numbers, of keys and values turned by rotation.h, so that
          // no single large number takes a block's whole range
};
/// From the most exact to the smallest.
std::span<const KvFormat> all_kv_formats();
/// As people write it: "f16".
std::string_view name_of(KvFormat format);
std::optional<KvFormat> find_kv_format(std::string_view name);
/// The blocks of a row.
const BlockFormat& block_format_of(KvFormat format);
/// Bytes of the key, or the value, of one position in one KV head.
std::size_t kv_row_bytes(KvFormat format, std::uint32_t head_dim);
constexpr bool is_rotated(KvFormat format) {
  return format == KvFormat::kQ4_0;
}

/// Index of a page in the backend's storage, below PagePool::n_pages().
enum class PageId : std::uint32_t {};
constexpr std::uint32_t index_of(PageId page) {
  return static_cast<std::uint32_t>(page);
}

/// Reference counts of a fixed number of pages. Must outlive the tables made on it.
class PagePool {
 public:
  explicit PagePool(std::uint32_t n_pages);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  std::uint32_t n_pages() const { return static_cast<std::uint32_t>(references_.size()); }
  std::uint32_t n_free() const { return static_cast<std::uint32_t>(free_.size()); }

  /// A page with one reference, or nothing when all are in use. The lowest free id after a fresh
  /// start, then the most recently released: it is the likeliest to be in a CPU cache.
  std::optional<PageId> take();
  void share(PageId page);
  void release(PageId page);
  bool is_shared(PageId page) const { return references_[index_of(page)] > 1; }

 private:
  std::vector<std::uint32_t> references_;
  std::vector<PageId> free_;  // a stack
};

/// Bytes the backend must copy before it writes: the first `n_tokens` positions of `from`, in every
/// layer, to `to`.
struct PageCopy {
  PageId from;
  PageId to;
  std::uint32_t n_tokens;
};

/// The pages of one sequence. Move-only; releases its pages.
class PageTable {
 public:
  explicit PageTable(PagePool& pool) : pool_(&pool) {}
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&& other) noexcept;
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;
  ~PageTable() { truncate(0); }

  std::uint32_t n_tokens() const { return n_tokens_; }
  /// pages()[p / kPageTokens] holds position p.
  std::span<const PageId> pages() const { return pages_; }

  /// Makes room for `n` more tokens. n_tokens() stays: commit() moves it, once they are computed.
  /// Returns the copy that must be made before writing, if any. Error: kOutOfMemory when the pool
  /// has too few free pages; the table is then as before.
  Result<std::optional<PageCopy>> reserve(std::uint32_t n);
  /// The next `n` reserved positions now hold tokens.
  void commit(std::uint32_t n);
  /// Forgets all positions from `n_tokens` on (no effect when there are fewer) and what was
  /// reserved beyond; releases pages that hold none.
  void truncate(std::uint32_t n_tokens);
  /// A second table over the first `n_tokens` positions' pages (at most n_tokens()).
  PageTable fork(std::uint32_t n_tokens) const;

 private:
  PagePool* pool_;
  std::vector<PageId> pages_;
  std::uint32_t n_tokens_ = 0;
};

}  // namespace kinglet::inference
