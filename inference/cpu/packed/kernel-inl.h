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

#include <type_traits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/pack.h"
#include "inference/cpu/packed/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Codes of 4 to 8 bits as store_codes() has them, brought to bytes: of one half, of one part.
template <int kBits>
HWY_INLINE void load_codes(const std::byte* lines, std::size_t half, std::size_t part, Bytes* w) {
  lines += part * 4 * kRowLanes;
  if constexpr (kBits == 8) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i)
      w[i] = load_bytes(lines + (4 * half + i) * kLine);
    return;
  }
  Bytes upper{};
  if constexpr (kBits == 5) upper = load_bytes(lines + 4 * kLine);
  if constexpr (kBits == 6) upper = load_bytes(lines + (4 + half) * kLine);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const Bytes pairs = load_bytes(lines + i * kLine);
    w[i] = half == 0 ? shift_and<0>(pairs, 0xf) : shift_and<-4>(pairs, 0xf);
  }
  if constexpr (kBits == 5) {
    w[0] = bit_or(w[0], half == 0 ? shift_and<4>(upper, 0x10) : shift_and<0>(upper, 0x10));
    w[1] = bit_or(w[1], half == 0 ? shift_and<3>(upper, 0x10) : shift_and<-1>(upper, 0x10));
    w[2] = bit_or(w[2], half == 0 ? shift_and<2>(upper, 0x10) : shift_and<-2>(upper, 0x10));
    w[3] = bit_or(w[3], half == 0 ? shift_and<1>(upper, 0x10) : shift_and<-3>(upper, 0x10));
  }
  if constexpr (kBits == 6) {
    w[0] = bit_or(w[0], shift_and<4>(upper, 0x30));
    w[1] = bit_or(w[1], shift_and<2>(upper, 0x30));
    w[2] = bit_or(w[2], shift_and<0>(upper, 0x30));
    w[3] = bit_or(w[3], shift_and<-2>(upper, 0x30));
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
  static constexpr std::size_t kHalfLine = 2 * kPackedRows;
  const std::byte* head_;
};

template <class F>
HWY_INLINE void load_weights(const std::byte* lines, std::size_t half, std::size_t part, Bytes* w) {
  load_codes<F::kBits>(lines, half, part, w);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i)
    w[i] = F::weights(w[i]);
}

// How far ahead of itself a tile is fetched: what memory answers in.
constexpr std::size_t kAhead = 1024;

/// Parts [part, part + n_parts) of the rows times n_tokens tokens.
template <class F, std::uint32_t n_tokens, std::uint32_t n_parts>
HWY_INLINE void multiply_part(const std::byte* tile,
                              std::size_t n_columns,
                              const ByteColumns* x,
                              std::size_t x_stride,
                              std::uint32_t first_part,
                              float* sums) {
  constexpr int kZero = F::kZero;
  Floats accumulators[n_tokens][n_parts];
  for (auto& of_token : accumulators) {
    for (Floats& accumulator : of_token)
      accumulator = splat(0.0F);
  }
  for (std::size_t column = 0; column < n_columns; column += kChunkColumns) {
    const std::size_t n_blocks = std::min(kChunkColumns, n_columns - column) / kBlockColumns;
    const typename F::Head head(tile, n_blocks);
    const std::byte* lines = tile + Packing<F>::head_bytes(n_blocks);
    for (std::size_t block = 0; block < n_blocks; ++block, ++x) {
      if constexpr (n_parts == kParts) {
        for (std::size_t line = 0; line < Packing<F>::kBlockBytes; line += kLine)
          hwy::Prefetch(lines + kAhead + line);
      }
#pragma GCC unroll 4
      for (std::uint32_t p = 0; p < n_parts; ++p) {
        const std::uint32_t part = first_part + p;
        Bytes w[2][4];
        load_weights<F>(lines, 0, part, w[0]);
        load_weights<F>(lines, 1, part, w[1]);
        const Floats scale = head.scale(block, 0, part);
        Floats second_scale = scale;
        if constexpr (F::kSplitScales) second_scale = head.scale(block, 1, part);
#pragma GCC unroll 8
        for (std::uint32_t t = 0; t < n_tokens; ++t) {
          const ByteColumns& columns = x[t * x_stride];
          Floats& accumulator = accumulators[t][p];
          const Floats first =
              mul(to_floats(dots<F::kCodes>(w[0], columns, 0)), splat(columns.scales[0]));
          const Floats second = to_floats(dots<F::kCodes>(w[1], columns, 1));
          if constexpr (F::kSplitScales) {
            accumulator = mul_add(first, scale, accumulator);
            accumulator = mul_add(mul(second, splat(columns.scales[1])), second_scale, accumulator);
          } else {
            accumulator =
                mul_add(mul_add(second, splat(columns.scales[1]), first), scale, accumulator);
          }
          if constexpr (kZero != 0) {
            constexpr float kMinusZero = -kZero;
            if constexpr (F::kSplitScales) {
              accumulator =
                  mul_add(mul(scale, splat(kMinusZero)), splat(columns.sums[0]), accumulator);
              accumulator = mul_add(
                  mul(second_scale, splat(kMinusZero)), splat(columns.sums[1]), accumulator);
            } else {
              accumulator = mul_add(mul(scale, splat(kMinusZero)), splat(columns.sum), accumulator);
            }
          }
          if constexpr (F::kHasOffsets) {
            accumulator = mul_add(head.offset(block, part), splat(columns.sum), accumulator);
          }
        }
      }
      lines += Packing<F>::kBlockBytes;
    }
    tile = lines;
  }
  for (std::uint32_t t = 0; t < n_tokens; ++t) {
    for (std::uint32_t p = 0; p < n_parts; ++p)
      store(accumulators[t][p], sums + t * kPackedRows + (first_part + p) * kRowLanes);
  }
}

// Sums of so many tokens stay in registers.
constexpr std::uint32_t kTokens = kRowLanes == 16 ? 8 : 4;

/// PackedFormat::multiply.
template <class F>
void multiply_packed(const std::byte* tile, std::size_t n_columns, PackedTokens x, float* sums) {
  const auto step = [&]<std::uint32_t n_tokens>(std::integral_constant<std::uint32_t, n_tokens>) {
    for (; x.n >= n_tokens; x.n -= n_tokens) {
      if constexpr (n_tokens == 1) {
        multiply_part<F, 1, kParts>(tile, n_columns, x.first, x.stride, 0, sums);
      } else {
        for (std::uint32_t part = 0; part < kParts; ++part)
          multiply_part<F, n_tokens, 1>(tile, n_columns, x.first, x.stride, part, sums);
      }
      x.first += n_tokens * x.stride;
      sums += n_tokens * kPackedRows;
    }
  };
  step(std::integral_constant<std::uint32_t, kTokens>());
  if constexpr (kTokens > 4) step(std::integral_constant<std::uint32_t, 4>());
  step(std::integral_constant<std::uint32_t, 2>());
  step(std::integral_constant<std::uint32_t, 1>());
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
