// One page's keys and values of one KV head as vectors of floats, in each format of kv_store.h.
// Included once for each SIMD target, inside HWY_BEFORE_NAMESPACE.
//
// Keys give load(d, slot): kLanes positions' numbers of dimension d; values load(slot, d, out):
// kLanes * n dimensions of a position. Formats in blocks give the quants: who sums them multiplies
// by the scales, a block's at a time, whether he reads the page itself or what widen_keys() and
// widen_values() made of it. So both sum the same numbers in the same order.
#if defined(KINGLET_ATTENTION_PAGE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_ATTENTION_PAGE_INL
#undef KINGLET_ATTENTION_PAGE_INL
#else
#define KINGLET_ATTENTION_PAGE_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "inference/cpu/formats.h"
#include "inference/cpu/kv_store.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPadding>;
using Ints = hn::Rebind<std::int32_t, Floats>;
using Vector = hn::Vec<Floats>;

constexpr std::size_t kLanes = hn::MaxLanes(Floats());  // our targets' vectors have one width each
constexpr std::size_t kLineBytes = 64;

HWY_INLINE Vector load(const float* from) {
  return hn::LoadU(Floats(), from);
}
HWY_INLINE Vector load(const hwy::float16_t* from) {
  return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::float16_t, Floats>(), from));
}
HWY_INLINE hn::Vec<Ints> load_bytes(const std::byte* from) {
  const hn::Rebind<std::int8_t, Floats> bytes;
  return hn::PromoteTo(Ints(), hn::LoadU(bytes, reinterpret_cast<const std::int8_t*>(from)));
}
/// Two numbers of each byte.
HWY_INLINE void load_nibbles(const std::byte* from, Vector& low, Vector& high) {
  const auto both = load_bytes(from);
  low = hn::ConvertTo(Floats(), hn::ShiftRight<28>(hn::ShiftLeft<28>(both)));
  high = hn::ConvertTo(Floats(), hn::ShiftRight<4>(both));
}

/// Numbers of f32 and f16: (head_dim, kPageTokens).
template <class Element>
struct PlainKeys {
  static constexpr bool kInBlocks = false;
  const Element* from;
  std::ptrdiff_t next_page;  // bytes to the same number of the page that is read after this one

  HWY_INLINE void prefetch(std::size_t d) const {
    const auto* row = reinterpret_cast<const std::byte*>(from + d * kPageTokens);
    for (std::size_t at = 0; at < kPageTokens * sizeof(Element); at += kLineBytes)
      hwy::Prefetch(row + next_page + at);
  }
  HWY_INLINE Vector load(std::size_t d, std::size_t slot) const {
    return HWY_NAMESPACE::load(from + d * kPageTokens + slot);
  }
};
template <class Element>
struct PlainValues {
  static constexpr bool kInBlocks = false;
  const Element* from;
  std::size_t stride;  // from position to position
  std::ptrdiff_t next_page;

  template <std::size_t n>
  HWY_INLINE void prefetch(std::size_t slot, std::size_t d) const {
    const auto* row = reinterpret_cast<const std::byte*>(from + slot * stride + d);
    for (std::size_t at = 0; at < n * kLanes * sizeof(Element); at += kLineBytes)
      hwy::Prefetch(row + next_page + at);
  }
  template <std::size_t n>
  HWY_INLINE void load(std::size_t slot, std::size_t d, Vector* HWY_RESTRICT out) const {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < n; ++i)
      out[i] = HWY_NAMESPACE::load(from + slot * stride + d + i * kLanes);
  }
};

/// The same of what is widened already.
struct WidePlainKeys {
  static constexpr bool kInBlocks = false;
  const float* from;

  HWY_INLINE void prefetch(std::size_t /*d*/) const {}
  HWY_INLINE Vector load(std::size_t d, std::size_t slot) const {
    return HWY_NAMESPACE::load(from + d * kPageTokens + slot);
  }
};
struct WidePlainValues {
  static constexpr bool kInBlocks = false;
  const float* from;
  std::size_t stride;

  template <std::size_t n>
  HWY_INLINE void prefetch(std::size_t /*slot*/, std::size_t /*d*/) const {}
  template <std::size_t n>
  HWY_INLINE void load(std::size_t slot, std::size_t d, Vector* HWY_RESTRICT out) const {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < n; ++i)
      out[i] = HWY_NAMESPACE::load(from + slot * stride + d + i * kLanes);
  }
};

/// Bytes of a block of dimensions of a page's positions.
template <KvFormat format>
constexpr std::size_t kBlockBytes = kKvScaleBytes +
                                    std::size_t{kPageTokens} *
                                        (format == KvFormat::kQ8_0 ? kKvBlock : kKvBlock / 2);

/// Scales of a block's positions.
template <KvFormat format>
HWY_INLINE Vector load_scales(const std::byte* page, std::size_t d, std::size_t slot) {
  const std::byte* scales = page + d / kKvBlock * kBlockBytes<format>;
  return load(reinterpret_cast<const hwy::float16_t*>(scales) + slot);
}
template <KvFormat format>
HWY_INLINE const std::byte* quants_of(const std::byte* page, std::size_t d) {
  return page + d / kKvBlock * kBlockBytes<format> + kKvScaleBytes;
}

/// Quants of the page itself, two dimensions at a time.
template <KvFormat format>
struct BlockKeys {
  static constexpr bool kInBlocks = true;
  const std::byte* page;
  std::ptrdiff_t next_page;

  HWY_INLINE void prefetch(std::size_t d) const {
    hwy::Prefetch(at(d) + next_page);
    if (d % kKvBlock == 0) hwy::Prefetch(at(d) - kKvScaleBytes + next_page);
  }
  HWY_INLINE Vector scales(std::size_t d, std::size_t slot) const {
    return load_scales<format>(page, d, slot);
  }
  HWY_INLINE void load_pair(std::size_t d, std::size_t slot, Vector& even, Vector& odd) const {
    if constexpr (format == KvFormat::kQ8_0) {
      even = hn::ConvertTo(Floats(), load_bytes(at(d) + slot));
      odd = hn::ConvertTo(Floats(), load_bytes(at(d) + kPageTokens + slot));
    } else {
      load_nibbles(at(d) + slot, even, odd);
    }
  }

 private:
  HWY_INLINE const std::byte* at(std::size_t d) const {
    const std::size_t row = d % kKvBlock / (format == KvFormat::kQ8_0 ? 1 : 2);
    return quants_of<format>(page, d) + row * kPageTokens;
  }
};
template <KvFormat format>
struct BlockValues {
  static constexpr bool kInBlocks = true;
  static constexpr std::size_t kRowBytes = format == KvFormat::kQ8_0 ? kKvBlock : kKvBlock / 2;
  const std::byte* page;
  std::ptrdiff_t next_page;

  template <std::size_t n>
  HWY_INLINE void prefetch(std::size_t slot, std::size_t d) const {
    hwy::Prefetch(quants_of<format>(page, d) + slot * kRowBytes + next_page);
    if (slot == 0) hwy::Prefetch(quants_of<format>(page, d) - kKvScaleBytes + next_page);
  }
  HWY_INLINE Vector scales(std::size_t d, std::size_t slot) const {
    return load_scales<format>(page, d, slot);
  }
  /// A whole block.
  template <std::size_t n>
  HWY_INLINE void load(std::size_t slot, std::size_t d, Vector* HWY_RESTRICT out) const {
    static_assert(n * kLanes == kKvBlock);
    const std::byte* from = quants_of<format>(page, d) + slot * kRowBytes;
    if constexpr (format == KvFormat::kQ8_0) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < n; ++i)
        out[i] = hn::ConvertTo(Floats(), load_bytes(from + i * kLanes));
    } else {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < n / 2; ++i)
        load_nibbles(from + i * kLanes, out[i], out[i + n / 2]);
    }
  }
};

/// Quants widened to floats: (n_blocks, kKvBlock, kPageTokens).
template <KvFormat format>
struct WideKeys {
  static constexpr bool kInBlocks = true;
  const std::byte* page;
  const float* quants;

  HWY_INLINE void prefetch(std::size_t /*d*/) const {}
  HWY_INLINE Vector scales(std::size_t d, std::size_t slot) const {
    return load_scales<format>(page, d, slot);
  }
  HWY_INLINE void load_pair(std::size_t d, std::size_t slot, Vector& even, Vector& odd) const {
    even = HWY_NAMESPACE::load(quants + d * kPageTokens + slot);
    odd = HWY_NAMESPACE::load(quants + (d + 1) * kPageTokens + slot);
  }
};
/// (n_blocks, kPageTokens, kKvBlock)
template <KvFormat format>
struct WideValues {
  static constexpr bool kInBlocks = true;
  const std::byte* page;
  const float* quants;

  template <std::size_t n>
  HWY_INLINE void prefetch(std::size_t /*slot*/, std::size_t /*d*/) const {}
  HWY_INLINE Vector scales(std::size_t d, std::size_t slot) const {
    return load_scales<format>(page, d, slot);
  }
  template <std::size_t n>
  HWY_INLINE void load(std::size_t slot, std::size_t d, Vector* HWY_RESTRICT out) const {
    const float* block = quants + d / kKvBlock * kKvBlock * kPageTokens;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < n; ++i)
      out[i] = HWY_NAMESPACE::load(block + slot * kKvBlock + d % kKvBlock + i * kLanes);
  }
};

/// n floats, whole vectors, of n f16.
HWY_INLINE void widen(const hwy::float16_t* HWY_RESTRICT from,
                      std::size_t n,
                      std::ptrdiff_t next_page,
                      float* HWY_RESTRICT out) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    if (i * sizeof *from % kLineBytes == 0)
      hwy::Prefetch(reinterpret_cast<const std::byte*>(from + i) + next_page);
    hn::StoreU(load(from + i), Floats(), out + i);
  }
}

/// The quants of a page's keys in so many dimensions, whole blocks, as WideKeys reads them.
template <KvFormat format>
HWY_INLINE void widen_keys(const BlockKeys<format>& keys,
                           std::size_t n_dims,
                           float* HWY_RESTRICT out) {
  for (std::size_t d = 0; d < n_dims; d += 2) {
    keys.prefetch(d);
    for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
      Vector even;
      Vector odd;
      keys.load_pair(d, slot, even, odd);
      hn::StoreU(even, Floats(), out + d * kPageTokens + slot);
      hn::StoreU(odd, Floats(), out + (d + 1) * kPageTokens + slot);
    }
  }
}
/// The quants of slots [first, last) of a page's values, as WideValues reads them.
template <KvFormat format>
HWY_INLINE void widen_values(const BlockValues<format>& values,
                             std::size_t head_dim,
                             std::size_t first,
                             std::size_t last,
                             float* HWY_RESTRICT out) {
  constexpr std::size_t kVectors = kKvBlock / kLanes;
  for (std::size_t d = 0; d < head_dim; d += kKvBlock, out += std::size_t{kKvBlock} * kPageTokens) {
    for (std::size_t slot = first; slot < last; ++slot) {
      values.template prefetch<kVectors>(slot, d);
      Vector row[kVectors];
      values.template load<kVectors>(slot, d, row);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kVectors; ++i)
        hn::StoreU(row[i], Floats(), out + slot * kKvBlock + i * kLanes);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
