#include "inference/cpu/kv_store.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>

#include <sys/mman.h>

#include "inference/cpu/formats.h"
#include "inference/cpu/memory.h"
#include "inference/cpu/rotate_head.h"
#include "inference/quant/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/kv_store.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPadding>;

/// Rounded to nearest, ties to even.
void to_halves(const float* HWY_RESTRICT in, std::size_t n, std::uint16_t* HWY_RESTRICT out) {
  std::size_t i = 0;
  // Highway's substitute for the instruction, where there is none, cuts off instead.
#if HWY_TARGET != HWY_SSE4 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  const Floats floats;
  const hn::Rebind<hwy::float16_t, Floats> halves;
  for (; i + hn::Lanes(floats) <= n; i += hn::Lanes(floats)) {
    const auto rounded = hn::DemoteTo(halves, hn::LoadU(floats, in + i));
    hn::StoreU(rounded, halves, reinterpret_cast<hwy::float16_t*>(out + i));
  }
#endif
  for (; i < n; ++i)
    out[i] = float_to_half(in[i]);
}

/// To the nearest integer, ties away from zero.
template <class V>
HWY_INLINE V rounded(V x) {
  const Floats floats;
  const auto even = hn::Round(x);
  const auto is_tie =
      hn::Eq(hn::Sub(x, even), hn::CopySign(hn::Set(floats, 0.5F), x));  // and was rounded inwards
  return hn::Add(even, hn::IfThenElseZero(is_tie, hn::CopySign(hn::Set(floats, 1.0F), x)));
}

/// The quants of kKvBlock numbers, as integers, and their scale: what Q8_0 and Q4_0 make of them.
template <bool is_q8>
HWY_INLINE std::uint16_t quantize(const float* HWY_RESTRICT in, std::int8_t* HWY_RESTRICT quants) {
  const Floats floats;
  const hn::Rebind<std::int32_t, Floats> ints;
  const hn::Rebind<std::int8_t, Floats> bytes;
  auto greatest = hn::LoadU(floats, in);
  auto least = greatest;
  for (std::size_t i = hn::Lanes(floats); i < kKvBlock; i += hn::Lanes(floats)) {
    const auto x = hn::LoadU(floats, in + i);
    greatest = hn::Max(greatest, x);
    least = hn::Min(least, x);
  }
  const float maximum = hn::GetLane(hn::MaxOfLanes(floats, greatest));
  const float minimum = hn::GetLane(hn::MinOfLanes(floats, least));
  const float d =
      is_q8 ? std::max(maximum, -minimum) / 127 : (maximum >= -minimum ? maximum : minimum) / -8;
  const auto inverse = hn::Set(floats, d != 0 ? 1 / d : 0.0F);
  for (std::size_t i = 0; i < kKvBlock; i += hn::Lanes(floats)) {
    const auto x = hn::Mul(hn::LoadU(floats, in + i), inverse);
    auto quant = hn::Zero(ints);
    if constexpr (is_q8) {
      const auto limit = hn::Set(floats, 127.0F);
      quant = hn::ConvertTo(ints, hn::Max(hn::Min(rounded(x), limit), hn::Neg(limit)));
    } else {
      const auto moved = hn::Max(hn::Add(x, hn::Set(floats, 8.5F)), hn::Zero(floats));
      const auto from_0 = hn::ConvertTo(ints, hn::Min(moved, hn::Set(floats, 15.0F)));
      quant = hn::Sub(from_0, hn::Set(ints, 8));
    }
    hn::StoreU(hn::DemoteTo(bytes, quant), bytes, quants + i);
  }
  return float_to_half(d);
}

/// Of n numbers.
bool all_finite(const float* numbers, std::size_t n) {
  const Floats floats;
  const auto most = hn::Set(floats, std::numeric_limits<float>::max());
  for (std::size_t i = 0; i < n; i += hn::Lanes(floats)) {
    if (!hn::AllTrue(floats, hn::Le(hn::Abs(hn::LoadU(floats, numbers + i)), most))) return false;
  }
  return true;
}

enum class Side { kKeys, kValues };

constexpr std::uint8_t nibbles(std::int8_t low, std::int8_t high) {
  return static_cast<std::uint8_t>((low & 0xf) | (high & 0xf) << 4);
}

/// Puts a block's quants where they belong in a page.
template <bool is_q8, Side side>
HWY_INLINE void place(const std::int8_t* HWY_RESTRICT quants,
                      std::uint32_t slot,
                      std::byte* HWY_RESTRICT page_quants) {
  auto* out = reinterpret_cast<std::uint8_t*>(page_quants);
  if constexpr (is_q8) {
    if constexpr (side == Side::kValues)
      std::memcpy(out + std::size_t{slot} * kKvBlock, quants, kKvBlock);
    if constexpr (side == Side::kKeys) {
      for (std::size_t d = 0; d < kKvBlock; ++d)
        out[d * kPageTokens + slot] = static_cast<std::uint8_t>(quants[d]);
    }
  } else {
    constexpr std::size_t kPairs = kKvBlock / 2;
    for (std::size_t i = 0; i < kPairs; ++i) {
      if constexpr (side == Side::kValues)
        out[slot * kPairs + i] = nibbles(quants[i], quants[i + kPairs]);
      if constexpr (side == Side::kKeys)
        out[i * kPageTokens + slot] = nibbles(quants[2 * i], quants[2 * i + 1]);
    }
  }
}

template <bool is_q8, Side side>
void write_quantized(const KvHeads& heads, std::byte* page) {
  const std::uint32_t head_dim = heads.head_dim;
  constexpr std::size_t kBlockBytes =
      kKvScaleBytes + std::size_t{kPageTokens} * (is_q8 ? kKvBlock : kKvBlock / 2);
  HWY_ALIGN float row[kMaxHeadDim];
  const std::size_t n_whole = (std::size_t{head_dim} + kKvBlock - 1) / kKvBlock * kKvBlock;
  std::fill(row + head_dim, row + n_whole, 0.0F);
  const float* from = side == Side::kKeys ? heads.keys : heads.values;
  const std::uint32_t end = heads.slot + heads.n_tokens;
  for (std::uint32_t slot = heads.slot; slot < end; ++slot, from += heads.stride) {
    std::memcpy(row, from, head_dim * sizeof(float));
    if constexpr (!is_q8) rotate_head(row, head_dim);
    const bool is_finite = all_finite(row, n_whole);
    std::byte* block = page;
    for (std::size_t d = 0; d < n_whole; d += kKvBlock, block += kBlockBytes) {
      std::uint16_t scale = 0xffff;  // NaN
      if (is_finite) {
        std::int8_t quants[kKvBlock];
        scale = quantize<is_q8>(row + d, quants);
        place<is_q8, side>(quants, slot, block + kKvScaleBytes);
      }
      std::memcpy(block + slot * sizeof scale, &scale, sizeof scale);
    }
  }
}

/// (n_tokens, head_dim) to (head_dim, kPageTokens), from a slot on. Rows are tokens `stride` apart.
template <class Element>
HWY_INLINE void transpose(const Element* HWY_RESTRICT rows,
                          std::size_t stride,
                          const KvHeads& heads,
                          Element* HWY_RESTRICT page) {
  for (std::uint32_t d = 0; d < heads.head_dim; ++d) {
    Element* const out = page + std::size_t{d} * kPageTokens + heads.slot;
    for (std::uint32_t token = 0; token < heads.n_tokens; ++token)
      out[token] = rows[token * stride + d];
  }
}

void write_floats(const KvHeads& heads, std::byte* keys, std::byte* values) {
  transpose(heads.keys, heads.stride, heads, reinterpret_cast<float*>(keys));
  const std::size_t row = padded(heads.head_dim);
  auto* const out = reinterpret_cast<float*>(values) + heads.slot * row;
  for (std::uint32_t token = 0; token < heads.n_tokens; ++token) {
    std::memcpy(
        out + token * row, heads.values + token * heads.stride, heads.head_dim * sizeof(float));
  }
}

void write_halves(const KvHeads& heads, std::byte* keys, std::byte* values) {
  // A key more than a multiple of the caches' lines apart, else they would displace one another.
  constexpr std::size_t kStride = kMaxHeadDim + 8;
  std::uint16_t rows[kPageTokens * kStride];
  const std::size_t row = padded(heads.head_dim);
  auto* const out = reinterpret_cast<std::uint16_t*>(values) + heads.slot * row;
  for (std::uint32_t token = 0; token < heads.n_tokens; ++token) {
    to_halves(heads.keys + token * heads.stride, heads.head_dim, rows + token * kStride);
    to_halves(heads.values + token * heads.stride, heads.head_dim, out + token * row);
  }
  transpose(rows, kStride, heads, reinterpret_cast<std::uint16_t*>(keys));
}

void write_heads(KvFormat format, const KvHeads& heads, std::byte* keys, std::byte* values) {
  switch (format) {
    case KvFormat::kF32:
      return write_floats(heads, keys, values);
    case KvFormat::kF16:
      return write_halves(heads, keys, values);
    case KvFormat::kQ8_0:
      write_quantized<true, Side::kKeys>(heads, keys);
      return write_quantized<true, Side::kValues>(heads, values);
    case KvFormat::kQ4_0:
      write_quantized<false, Side::kKeys>(heads, keys);
      return write_quantized<false, Side::kValues>(heads, values);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(write_heads);

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// The system hands it out when it is first written. Null when it cannot be had.
std::byte* reserve(std::uint64_t n_bytes) {
  const std::size_t alignment = n_bytes < kHugePage ? kLine : kHugePage;
  const std::size_t rounded = (n_bytes + alignment - 1) / alignment * alignment;
  void* const bytes = std::aligned_alloc(alignment, rounded);
  // Attention reads a few KB here and there: with small pages, each time elsewhere in their table.
  if (bytes != nullptr && alignment == kHugePage) ::madvise(bytes, rounded, MADV_HUGEPAGE);
  return static_cast<std::byte*>(bytes);
}

}  // namespace

Result<KvStore> KvStore::create(const HyperParameters& hyper_parameters,
                                KvFormat format,
                                std::uint32_t n_pages) {
  KvStore store;
  store.format_ = format;
  store.n_pages_ = n_pages;
  store.head_dim_ = hyper_parameters.head_dim;
  const bool is_quantized = block_format_of(format).block_elements > 1;
  store.key_bytes_ = kPageTokens * kv_row_bytes(format, store.head_dim_);
  store.head_bytes_ = store.key_bytes_;
  store.head_bytes_ += is_quantized
                           ? store.key_bytes_
                           : kPageTokens * padded(store.head_dim_) * kv_row_bytes(format, 1);
  store.layer_bytes_ = store.head_bytes_ * hyper_parameters.n_kv_heads;
  store.page_bytes_ = std::uint64_t{store.layer_bytes_} * hyper_parameters.n_layers;
  std::uint64_t n_bytes = 0;
  const bool overflows = __builtin_mul_overflow(store.page_bytes_, n_pages, &n_bytes);
  if (!overflows && n_bytes <= machine_memory()) store.bytes_.reset(reserve(n_bytes));
  if (store.bytes_ == nullptr) {
    return fail(ErrorCode::kOutOfMemory,
                "KV cache: " + std::to_string(n_pages) + " pages of " +
                    std::to_string(store.page_bytes_) +
                    " bytes are more memory than there is; choose a smaller context");
  }
  return store;
}

void KvStore::write(PageId page,
                    std::uint32_t layer,
                    std::uint32_t kv_head,
                    const KvHeads& heads) const {
  assert(heads.slot + heads.n_tokens <= kPageTokens && heads.head_dim == head_dim_);
  HWY_DYNAMIC_DISPATCH(write_heads)
  (format_, heads, keys(page, layer, kv_head), values(page, layer, kv_head));
}

void KvStore::copy_page(PageId from, PageId to) const {
  std::memcpy(bytes_.get() + index_of(to) * page_bytes_,
              bytes_.get() + index_of(from) * page_bytes_,
              page_bytes_);
}

}  // namespace kinglet::inference::cpu
#endif
