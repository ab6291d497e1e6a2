#include "inference/kv_cache.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

namespace kinglet::inference {

std::span<const KvFormat> all_kv_formats() {
  static constexpr KvFormat kAll[] = {
      KvFormat::kF32, KvFormat::kF16, KvFormat::kQ8_0, KvFormat::kQ4_0};
  return kAll;
}

std::string_view name_of(KvFormat format) {
  switch (format) {
    case KvFormat::kF32:
      return "f32";
    case KvFormat::kF16:
      return "f16";
    case KvFormat::kQ8_0:
      return "q8";
    case KvFormat::kQ4_0:
      return "q4";
  }
  return "unknown";
}

std::optional<KvFormat> find_kv_format(std::string_view name) {
  for (const KvFormat format : all_kv_formats()) {
    if (name_of(format) == name) return format;
  }
  return std::nullopt;
}

const BlockFormat& block_format_of(KvFormat format) {
  switch (format) {
    case KvFormat::kF32:
      return block_format(TensorType::kF32);
    case KvFormat::kF16:
      return block_format(TensorType::kF16);
    case KvFormat::kQ8_0:
      return block_format(TensorType::kQ8_0);
    case KvFormat::kQ4_0:
      break;
  }
  return block_format(TensorType::kQ4_0);
}

std::size_t kv_row_bytes(KvFormat format, std::uint32_t head_dim) {
  const BlockFormat& blocks = block_format_of(format);
  const std::size_t n_blocks =
      (std::size_t{head_dim} + blocks.block_elements - 1) / blocks.block_elements;
  return n_blocks * blocks.block_bytes;
}

PagePool::PagePool(std::uint32_t n_pages) : references_(n_pages, 0) {
  free_.reserve(n_pages);
  for (std::uint32_t page = n_pages; page-- > 0;)
    free_.push_back(PageId{page});
}

std::optional<PageId> PagePool::take() {
  if (free_.empty()) return std::nullopt;
  const PageId page = free_.back();
  free_.pop_back();
  references_[index_of(page)] = 1;
  return page;
}

void PagePool::share(PageId page) {
  assert(references_[index_of(page)] > 0);
  ++references_[index_of(page)];
}

void PagePool::release(PageId page) {
  assert(references_[index_of(page)] > 0);
  if (--references_[index_of(page)] == 0) free_.push_back(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_),
      pages_(std::exchange(other.pages_, {})),
      n_tokens_(std::exchange(other.n_tokens_, 0)) {}

PageTable& PageTable::operator=(PageTable&& other) noexcept {
  if (this != &other) {
    truncate(0);
    pool_ = other.pool_;
    pages_ = std::exchange(other.pages_, {});
    n_tokens_ = std::exchange(other.n_tokens_, 0);
  }
  return *this;
}

Result<std::optional<PageCopy>> PageTable::reserve(std::uint32_t n) {
  if (n == 0) return std::optional<PageCopy>{};
  const std::uint32_t n_needed = pages_for(n_tokens_ + n);
  const std::uint32_t n_filled = n_tokens_ % kPageTokens;  // positions in a partly filled page
  const bool copies = n_filled != 0 && pool_->is_shared(pages_[n_tokens_ / kPageTokens]);
  const auto n_held = static_cast<std::uint32_t>(pages_.size());
  const std::uint32_t n_new = (n_needed > n_held ? n_needed - n_held : 0) + (copies ? 1 : 0);
  if (n_new > pool_->n_free()) {
    return fail(ErrorCode::kOutOfMemory,
                "KV cache: " + std::to_string(n_new) + " pages of " + std::to_string(kPageTokens) +
                    " tokens wanted, " + std::to_string(pool_->n_free()) + " of " +
                    std::to_string(pool_->n_pages()) +
                    " free; use a shorter prompt or a larger context");
  }
  std::optional<PageCopy> copy;
  if (copies) {
    PageId& last = pages_[n_tokens_ / kPageTokens];
    const PageId fresh = *pool_->take();
    copy = PageCopy{.from = last, .to = fresh, .n_tokens = n_filled};
    // The other holders keep the old page alive, so its bytes are there to be copied.
    pool_->release(last);
    last = fresh;
  }
  while (pages_.size() < n_needed)
    pages_.push_back(*pool_->take());
  return copy;
}

void PageTable::commit(std::uint32_t n) {
  assert(pages_for(n_tokens_ + n) <= pages_.size());
  n_tokens_ += n;
}

void PageTable::truncate(std::uint32_t n_tokens) {
  n_tokens_ = std::min(n_tokens_, n_tokens);
  const std::uint32_t n_kept = pages_for(n_tokens_);
  while (pages_.size() > n_kept) {
    pool_->release(pages_.back());
    pages_.pop_back();
  }
}

PageTable PageTable::fork(std::uint32_t n_tokens) const {
  PageTable result(*pool_);
  result.n_tokens_ = std::min(n_tokens_, n_tokens);
  const auto shared = pages().first(pages_for(result.n_tokens_));
  result.pages_.assign(shared.begin(), shared.end());
  for (const PageId page : shared)
    pool_->share(page);
  return result;
}

}  // namespace kinglet::inference
