#include "inference/cpu/kv_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include <unistd.h>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"
#include "inference/rotation.h"

namespace kinglet::inference::cpu {

namespace {

std::uint64_t machine_memory() {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGE_SIZE);
  return n_pages > 0 && page_size > 0
             ? static_cast<std::uint64_t>(n_pages) * static_cast<std::uint64_t>(page_size)
             : UINT64_MAX;
}

}  // namespace

Result<KvStore> KvStore::create(const HyperParameters& hyper_parameters,
                                KvFormat format,
                                std::uint32_t n_pages) {
  KvStore store;
  store.format_ = format;
  store.n_pages_ = n_pages;
  store.n_kv_heads_ = hyper_parameters.n_kv_heads;
  store.head_dim_ = hyper_parameters.head_dim;
  const bool is_quantized = block_format_of(format).block_elements > 1;
  store.key_bytes_ = kPageTokens * kv_row_bytes(format, store.head_dim_);
  store.head_bytes_ = store.key_bytes_;
  store.head_bytes_ += is_quantized
                           ? store.key_bytes_
                           : kPageTokens * padded(store.head_dim_) * kv_row_bytes(format, 1);
  store.layer_bytes_ = store.head_bytes_ * store.n_kv_heads_;
  store.page_bytes_ = std::uint64_t{store.layer_bytes_} * hyper_parameters.n_layers;
  std::uint64_t n_bytes = 0;
  const bool overflows = __builtin_mul_overflow(store.page_bytes_, n_pages, &n_bytes);
  if (!overflows && n_bytes <= machine_memory()) {
    // new[] without initializers: the system hands out memory when it is first written.
    store.bytes_.reset(new (std::nothrow) std::byte[n_bytes]);
  }
  if (store.bytes_ == nullptr) {
    return fail(ErrorCode::kOutOfMemory,
                "KV cache: " + std::to_string(n_pages) + " pages of " +
                    std::to_string(store.page_bytes_) +
                    " bytes are more memory than there is; choose a smaller context");
  }
  return store;
}

void KvStore::write(PageId page,
                    std::uint32_t slot,
                    std::uint32_t layer,
                    const float* keys,
                    const float* values) const {
  for (std::uint32_t head = 0; head < n_kv_heads_; ++head) {
    const float* key = keys + std::size_t{head} * head_dim_;
    const float* value = values + std::size_t{head} * head_dim_;
    std::byte* key_out = this->keys(page, layer, head);
    std::byte* value_out = this->values(page, layer, head);
    if (format_ == KvFormat::kQ8_0 || format_ == KvFormat::kQ4_0) {
      write_row(key, key_out + slot * kv_row_bytes(format_, head_dim_));
      write_row(value, value_out + slot * kv_row_bytes(format_, head_dim_));
    } else if (format_ == KvFormat::kF32) {
      auto* to = reinterpret_cast<float*>(key_out);
      for (std::uint32_t d = 0; d < head_dim_; ++d)
        to[d * kPageTokens + slot] = key[d];
      std::memcpy(
          value_out + slot * padded(head_dim_) * sizeof(float), value, head_dim_ * sizeof(float));
    } else {
      auto* to = reinterpret_cast<std::uint16_t*>(key_out);
      for (std::uint32_t d = 0; d < head_dim_; ++d) {
        to[d * kPageTokens + slot] = float_to_half(key[d]);
      }
      to = reinterpret_cast<std::uint16_t*>(value_out) + slot * padded(head_dim_);
      for (std::uint32_t d = 0; d < head_dim_; ++d)
        to[d] = float_to_half(value[d]);
    }
  }
}

void KvStore::write_row(const float* numbers, std::byte* out) const {
  const BlockFormat& blocks = block_format_of(format_);
  const std::size_t n_bytes = kv_row_bytes(format_, head_dim_);
  float row[kMaxHeadDim];
  const std::span<float> whole(row, n_bytes / blocks.block_bytes * blocks.block_elements);
  std::copy_n(numbers, head_dim_, row);
  std::fill(whole.begin() + head_dim_, whole.end(), 0.0F);
  if (is_rotated(format_)) rotate(whole.first(head_dim_));
  const bool is_finite =
      std::all_of(whole.begin(), whole.end(), [](float x) { return std::isfinite(x); });
  if (is_finite) {
    blocks.quantize(whole, {out, n_bytes});
  } else {
    std::memset(out, 0xff, n_bytes);  // scales that are NaN
  }
}

void KvStore::copy_page(PageId from, PageId to) const {
  std::memcpy(bytes_.get() + index_of(to) * page_bytes_,
              bytes_.get() + index_of(from) * page_bytes_,
              page_bytes_);
}

}  // namespace kinglet::inference::cpu
