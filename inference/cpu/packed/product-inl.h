// The product of a packed tile with one kind of instructions (instructions.h). Included by
// kernel-inl.h once for each, with
//   KINGLET_PACKED_PRODUCTS   the namespace
//   KINGLET_PACKED_VNNI       whether its instructions are there
namespace kinglet::inference::cpu::HWY_NAMESPACE::KINGLET_PACKED_PRODUCTS {

// The x86 instructions want one side without sign. Pairs give the weights' signs to the
// activations. VNNI has room for more: weights are raised, to bytes of which 128 stands for 0, and
// what that is too much is in the sums from the start.
template <class F>
constexpr bool kRaises = KINGLET_PACKED_VNNI && (F::kCodes == Codes::kSigned || F::kZero != 0);

/// How many bits up.
template <class F>
constexpr int kUp = kRaises<F>&& F::kZero != 0
                        ? std::countr_zero(128U / (F::kZero == 0 ? 1 : F::kZero))
                        : 0;

template <class F>
HWY_INLINE Floats lowered(Floats scale) {
  return kUp<F> == 0 ? scale : mul(scale, splat(1.0F / (1 << kUp<F>)));
}

template <class F>
HWY_INLINE void load_weights(const std::byte* lines, std::size_t half, std::size_t part, Bytes* w) {
  load_codes<F::kBits, kUp<F>>(lines, half, part, w);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    w[i] = F::weights(w[i]);
    if constexpr (kRaises<F> && F::kZero == 0) w[i] = flip_upper_bits(w[i]);
  }
}

/// Products of a half of a block, added up. x is never -128.
template <class F>
HWY_INLINE Ints dots(const Bytes (&w)[4], const ByteColumns& x, std::size_t half) {
#if HWY_TARGET == HWY_SCALAR
  return make<Ints>([&](std::size_t lane) {
    int sum = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      const std::uint8_t code = w[i / 4].lanes[4 * lane + i % 4];
      const int weight = F::kCodes == Codes::kSigned ? static_cast<std::int8_t>(code) : code;
      sum += weight * x.quants[kByteBlock * half + i];
    }
    return sum;
  });
#elif KINGLET_PACKED_VNNI
  Ints sum = hn::Set(IntTag(), kRaises<F> ? x.zeros[half] : 0);
#pragma GCC unroll 4
  for (std::size_t line = 0; line < 4; ++line) {
#if HWY_TARGET == HWY_AVX3
    sum = Ints{_mm512_dpbusd_epi32(sum.raw, w[line].raw, four(x, half, line).raw)};
#else
    sum = Ints{_mm256_dpbusd_avx_epi32(sum.raw, w[line].raw, four(x, half, line).raw)};
#endif
  }
  return sum;
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
  using Shorts = hn::Vec<hn::Repartition<std::int16_t, ByteTag>>;
  const hn::Repartition<std::int16_t, ByteTag> shorts;
  const auto pairs = [&](std::size_t line) {
    const auto activations = four(x, half, line).raw;
    if constexpr (F::kCodes == Codes::kSigned) {
      return Shorts{signed_pair_products(w[line].raw, activations)};
    } else {
      return Shorts{pair_products(w[line].raw, activations)};
    }
  };
  // Pairs of lanes, added.
  const auto widen = [&](Shorts v) {
    const auto ones = hn::Set(shorts, 1);
#if HWY_TARGET == HWY_AVX3
    return Ints{_mm512_madd_epi16(v.raw, ones.raw)};
#elif HWY_TARGET == HWY_AVX2
    return Ints{_mm256_madd_epi16(v.raw, ones.raw)};
#else
    return Ints{_mm_madd_epi16(v.raw, ones.raw)};
#endif
  };
  // Sums of pairs have 16 bits: room for 4 lines of 31 * 127 * 2, 2 of 63 * 127 * 2, one of
  // 128 * 127 * 2.
  if constexpr (F::kCodes == Codes::kNibbles || F::kCodes == Codes::kFiveBits) {
    return widen(hn::Add(hn::Add(pairs(0), pairs(1)), hn::Add(pairs(2), pairs(3))));
  } else if constexpr (F::kCodes == Codes::kSixBits) {
    return hn::Add(widen(hn::Add(pairs(0), pairs(1))), widen(hn::Add(pairs(2), pairs(3))));
  } else {
    return hn::Add(hn::Add(widen(pairs(0)), widen(pairs(1))),
                   hn::Add(widen(pairs(2)), widen(pairs(3))));
  }
#elif HWY_TARGET == HWY_NEON
  int32x4_t sum = vdupq_n_s32(0);
  for (std::size_t line = 0; line < 4; ++line) {
    const int8x16_t codes = vreinterpretq_s8_u8(w[line].raw);
    const int8x16_t activations = four(x, half, line).raw;
#ifdef __ARM_FEATURE_DOTPROD
    sum = vdotq_s32(sum, codes, activations);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(activations));
    const int16x8_t high = vmull_s8(vget_high_s8(codes), vget_high_s8(activations));
    sum = vpadalq_s16(sum, vpaddq_s16(low, high));
#endif
  }
  return Ints(sum);
#else
  std::int32_t sums[kRowLanes] = {};
  for (std::size_t line = 0; line < 4; ++line) {
    std::uint8_t codes[4 * kRowLanes];
    hn::StoreU(w[line], ByteTag(), codes);
    for (std::size_t i = 0; i < 4 * kRowLanes; ++i) {
      const int weight =
          F::kCodes == Codes::kSigned ? static_cast<std::int8_t>(codes[i]) : codes[i];
      sums[i / 4] += weight * x.quants[kByteBlock * half + 4 * line + i % 4];
    }
  }
  return hn::LoadU(IntTag(), sums);
#endif
}

/// What a half of a block adds to the sum of a row and a token.
template <class F>
HWY_INLINE Floats
add_half(const Bytes (&w)[4], Floats scale, const ByteColumns& x, std::size_t half, Floats sum) {
  return mul_add(mul(to_floats(dots<F>(w, x, half)), splat(x.scales[half])), scale, sum);
}

/// What a block adds to the sums of kRowLanes rows and n_tokens tokens.
template <class F, std::uint32_t n_tokens>
HWY_INLINE void add_block(const typename F::Head& head,
                          const std::byte* lines,
                          std::size_t block,
                          std::uint32_t part,
                          const ByteColumns* x,
                          std::size_t x_stride,
                          Floats (&sums)[n_tokens]) {
  constexpr int kZero = kRaises<F> ? 0 : F::kZero;
  Floats scales[2];
  scales[0] = lowered<F>(head.scale(block, 0, part));
  scales[1] = F::kSplitScales ? lowered<F>(head.scale(block, 1, part)) : scales[0];
  if constexpr (kHasManyRegisters && !F::kSplitScales) {
    Bytes w[2][4];
    load_weights<F>(lines, 0, part, w[0]);
    load_weights<F>(lines, 1, part, w[1]);
#pragma GCC unroll 8
    for (std::uint32_t t = 0; t < n_tokens; ++t) {
      const ByteColumns& columns = x[t * x_stride];
      const Floats first = mul(to_floats(dots<F>(w[0], columns, 0)), splat(columns.scales[0]));
      const Floats both =
          mul_add(to_floats(dots<F>(w[1], columns, 1)), splat(columns.scales[1]), first);
      sums[t] = mul_add(both, scales[0], sums[t]);
    }
  } else {
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      Bytes w[4];
      load_weights<F>(lines, half, part, w);
#pragma GCC unroll 8
      for (std::uint32_t t = 0; t < n_tokens; ++t)
        sums[t] = add_half<F>(w, scales[half], x[t * x_stride], half, sums[t]);
    }
  }
  // What is the same for all of a block, or for a half.
  const auto add_offsets = [&](Floats offset, auto sum_of) {
#pragma GCC unroll 8
    for (std::uint32_t t = 0; t < n_tokens; ++t)
      sums[t] = mul_add(offset, splat(sum_of(x[t * x_stride])), sums[t]);
  };
  const auto sum = [](const ByteColumns& columns) { return columns.sum; };
  constexpr float kMinusZero = -kZero;
  if constexpr (kZero != 0 && F::kSplitScales) {
    add_offsets(mul(scales[0], splat(kMinusZero)),
                [](const ByteColumns& columns) { return columns.sums[0]; });
    add_offsets(mul(scales[1], splat(kMinusZero)),
                [](const ByteColumns& columns) { return columns.sums[1]; });
  } else if constexpr (kZero != 0) {
    add_offsets(mul(scales[0], splat(kMinusZero)), sum);
  }
  if constexpr (F::kHasOffsets) add_offsets(head.offset(block, part), sum);
}

/// Part `part` of a tile's rows times n_tokens tokens. The tile comes from memory if `fetches`,
/// else from a cache.
template <class F, std::uint32_t n_tokens>
HWY_INLINE void multiply_part(const std::byte* tile,
                              std::size_t n_columns,
                              const ByteColumns* x,
                              std::size_t x_stride,
                              std::uint32_t part,
                              bool fetches,
                              float* sums) {
  Floats accumulators[n_tokens];
  for (Floats& accumulator : accumulators)
    accumulator = splat(0.0F);
  for (std::size_t column = 0; column < n_columns; column += kChunkColumns) {
    const std::size_t n_blocks = std::min(kChunkColumns, n_columns - column) / kBlockColumns;
    const typename F::Head head(tile, n_blocks);
    const std::byte* lines = tile + Packing<F>::head_bytes(n_blocks);
    for (std::size_t block = 0; block < n_blocks; ++block, ++x) {
      if (fetches) fetch<Packing<F>::kBlockBytes>(lines + kAhead);
      add_block<F>(head, lines, block, part, x, x_stride, accumulators);
      lines += Packing<F>::kBlockBytes;
    }
    tile = lines;
  }
  for (std::uint32_t t = 0; t < n_tokens; ++t)
    store(accumulators[t], sums + std::size_t{t} * kPackedRows + part * kRowLanes);
}

/// Up to kMostTiles tiles times one token, side by side. They come from memory if `fetches`.
template <class F>
void multiply_streams(
    PackedTiles tiles, std::size_t n_columns, const ByteColumns* x, bool fetches, float* sums) {
  const std::byte* at[kMostTiles];  // where each goes on
  Floats accumulators[kMostTiles][kParts][1];
  for (std::uint32_t i = 0; i < tiles.n; ++i) {
    at[i] = tiles.first + i * tiles.stride;
    for (auto& accumulator : accumulators[i])
      accumulator[0] = splat(0.0F);
  }
  for (std::size_t column = 0; column < n_columns; column += kChunkColumns) {
    const std::size_t n_blocks = std::min(kChunkColumns, n_columns - column) / kBlockColumns;
    std::optional<typename F::Head> heads[kMostTiles];
    for (std::uint32_t i = 0; i < tiles.n; ++i) {
      heads[i].emplace(at[i], n_blocks);
      at[i] += Packing<F>::head_bytes(n_blocks);
    }
    for (std::size_t block = 0; block < n_blocks; ++block, ++x) {
#pragma GCC unroll 1
      for (std::uint32_t i = 0; i < tiles.n; ++i) {
        if (fetches) fetch<Packing<F>::kBlockBytes>(at[i] + kAheadInStreams);
#pragma GCC unroll 4
        for (std::uint32_t part = 0; part < kParts; ++part)
          add_block<F>(*heads[i], at[i], block, part, x, 0, accumulators[i][part]);
        at[i] += Packing<F>::kBlockBytes;
      }
    }
  }
  for (std::uint32_t i = 0; i < tiles.n; ++i) {
    for (std::uint32_t part = 0; part < kParts; ++part)
      store(accumulators[i][part][0], sums + std::size_t{i} * kPackedRows + part * kRowLanes);
  }
}

// Sums of so many tokens stay in registers.
constexpr std::uint32_t kTokens = kHasManyRegisters ? 8 : 6;

/// One tile.
template <class F>
void multiply_tokens(const std::byte* tile, std::size_t n_columns, PackedTokens x, float* sums) {
  bool is_first = true;
  const auto step = [&]<std::uint32_t n_tokens>(std::integral_constant<std::uint32_t, n_tokens>) {
    for (; x.n >= n_tokens; x.n -= n_tokens) {
      if constexpr (n_tokens == 1) {
        multiply_streams<F>({tile, 0, 1}, n_columns, x.first, is_first, sums);
      } else {
        for (std::uint32_t part = 0; part < kParts; ++part)
          multiply_part<F, n_tokens>(
              tile, n_columns, x.first, x.stride, part, is_first && part == 0, sums);
      }
      is_first = false;
      x.first += n_tokens * x.stride;
      sums += std::size_t{n_tokens} * kPackedRows;
    }
  };
  step(std::integral_constant<std::uint32_t, kTokens>());
  if constexpr (kTokens > 4) step(std::integral_constant<std::uint32_t, 4>());
  step(std::integral_constant<std::uint32_t, 2>());
  step(std::integral_constant<std::uint32_t, 1>());
}

/// PackedFormat::multiply.
template <class F>
void multiply_tiles(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  while (tiles.n > 0) {
    const std::uint32_t n = x.n == 1 ? std::min(tiles.n, kMostTiles) : 1;
    if (x.n == 1) {
      multiply_streams<F>({tiles.first, tiles.stride, n}, n_columns, x.first, true, sums);
    } else {
      multiply_tokens<F>(tiles.first, n_columns, x, sums);
    }
    tiles = {tiles.first + n * tiles.stride, tiles.stride, tiles.n - n};
    sums += std::size_t{n} * x.n * kPackedRows;
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE::KINGLET_PACKED_PRODUCTS
