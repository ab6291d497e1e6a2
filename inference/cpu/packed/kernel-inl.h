// The product of a packed tile, for all formats. Included once for each SIMD target, inside
// HWY_BEFORE_NAMESPACE.
//
// What a format (F) says to the kernel, beside what it says to Packing:
//   Head(head, n_blocks)           the head of a chunk
//     .scale(block, half, part)    of kRowLanes rows from part * kRowLanes on
//     .offset(block, part)         if kHasOffsets: what is added to scale * code
// and what of PackedDefaults differs.
#if defined(KINGLET_PACKED_KERNEL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_PACKED_KERNEL_INL
#undef KINGLET_PACKED_KERNEL_INL
#else
#define KINGLET_PACKED_KERNEL_INL
#endif

#include <bit>
#include <optional>
#include <type_traits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/instructions.h"
#include "inference/cpu/packed/pack.h"
#include "inference/cpu/packed/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Codes of 4 to 8 bits as store_codes() has them, of one half, of one part: in bytes, kUp bits up.
template <int kBits, int kUp>
HWY_INLINE void load_codes(const std::byte* lines, std::size_t half, std::size_t part, Bytes* w) {
  lines += part * 4 * kRowLanes;
  if constexpr (kBits == 8) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i)
      w[i] = load_bytes(lines + (4 * half + i) * kLine);
    return;
  }
  constexpr int kLow = 0xf << kUp;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const Bytes pairs = load_bytes(lines + i * kLine);
    w[i] = half == 0 ? shift_and<kUp>(pairs, kLow) : shift_and<kUp - 4>(pairs, kLow);
  }
  if constexpr (kBits == 5) {
    constexpr int kFifth = 0x10 << kUp;
    constexpr int kAt = 4 + kUp;
    const Bytes fifths = load_bytes(lines + 4 * kLine);
    if (half == 0) {
      w[0] = bit_or(w[0], shift_and<kAt>(fifths, kFifth));
      w[1] = bit_or(w[1], shift_and<kAt - 1>(fifths, kFifth));
      w[2] = bit_or(w[2], shift_and<kAt - 2>(fifths, kFifth));
      w[3] = bit_or(w[3], shift_and<kAt - 3>(fifths, kFifth));
    } else {
      w[0] = bit_or(w[0], shift_and<kAt - 4>(fifths, kFifth));
      w[1] = bit_or(w[1], shift_and<kAt - 5>(fifths, kFifth));
      w[2] = bit_or(w[2], shift_and<kAt - 6>(fifths, kFifth));
      w[3] = bit_or(w[3], shift_and<kAt - 7>(fifths, kFifth));
    }
  }
  if constexpr (kBits == 6) {
    constexpr int kUpper = 0x30 << kUp;
    constexpr int kAt = 4 + kUp;
    const Bytes uppers = load_bytes(lines + (4 + half) * kLine);
    w[0] = bit_or(w[0], shift_and<kAt>(uppers, kUpper));
    w[1] = bit_or(w[1], shift_and<kAt - 2>(uppers, kUpper));
    w[2] = bit_or(w[2], shift_and<kAt - 4>(uppers, kUpper));
    w[3] = bit_or(w[3], shift_and<kAt - 6>(uppers, kUpper));
  }
}

struct PackedDefaults {
  static constexpr Codes kCodes = Codes::kNibbles;
  static constexpr int kZero = 0;  // the code that stands for 0
  static constexpr bool kHasOffsets = false;
  static constexpr bool kSplitScales = false;  // each half of a block has a scale, not the block
  static HWY_INLINE Bytes weights(Bytes codes) { return codes; }
};

/// The head of SmallBlocks.
template <std::size_t kHalves>
class SmallHead {
 public:
  SmallHead(const std::byte* head, std::size_t /*n_blocks*/) : head_(head) {}

  Floats scale(std::size_t block, std::size_t /*half*/, std::size_t part) const {
    return load_halves(head_ + block * kHalves * kHalfLine + part * 2 * kRowLanes);
  }
  Floats offset(std::size_t block, std::size_t part) const {
    return load_halves(head_ + (block * kHalves + 1) * kHalfLine + part * 2 * kRowLanes);
  }

 private:
  static constexpr std::size_t kHalfLine = std::size_t{2} * kPackedRows;
  const std::byte* head_;
};

// How far ahead of itself a tile is fetched: what memory answers in.
constexpr std::size_t kAhead = 2048;
// The same where several are read side by side, for which the processor's own look ahead nearly
// does: twice as far costs a Zen 3 a fifth of its speed.
constexpr std::size_t kAheadInStreams = 1024;

template <std::size_t n_bytes>
HWY_INLINE void fetch(const std::byte* from) {
  for (std::size_t line = 0; line < n_bytes; line += kLine)
    hwy::Prefetch(from + line);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#define KINGLET_PACKED_VNNI 0
#define KINGLET_PACKED_PRODUCTS pairs
HWY_BEFORE_NAMESPACE();
#include "inference/cpu/packed/product-inl.h"
HWY_AFTER_NAMESPACE();
#undef KINGLET_PACKED_VNNI
#undef KINGLET_PACKED_PRODUCTS

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
#define KINGLET_PACKED_VNNI 1
#define KINGLET_PACKED_PRODUCTS vnni
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avxvnni")
#endif
#include "inference/cpu/packed/product-inl.h"
HWY_POP_ATTRIBUTES
#undef KINGLET_PACKED_VNNI
#undef KINGLET_PACKED_PRODUCTS
#endif

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

/// PackedFormat::multiply.
template <class F>
void multiply_packed(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  if (best_byte_products(HWY_TARGET == HWY_AVX3) == ByteProducts::kVnni)
    return vnni::multiply_tiles<F>(tiles, n_columns, x, sums);
#endif
  pairs::multiply_tiles<F>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
