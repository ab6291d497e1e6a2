// Products of bytes with one kind of instructions, as the packed kernels make them
// (packed/product-inl.h), on weights that stay in registers. Included by limits.cpp once for each,
// with KINGLET_BYTE_PEAK, their namespace.
namespace kinglet::inference::cpu::HWY_NAMESPACE::KINGLET_BYTE_PEAK {

/// Rounds of kColumns sums; how many multiplications and additions that was.
inline double multiply_bytes(std::size_t n_rounds, float* result) {
  constexpr std::size_t kColumns = 8;
  ByteColumns columns[kColumns] = {};
  HWY_ALIGN std::byte codes[4 * sizeof(Bytes)];
  std::fill(std::begin(codes), std::end(codes), std::byte{7});
  Bytes w[4];
  for (std::size_t line = 0; line < 4; ++line)
    w[line] = load_bytes(codes + line * sizeof(Bytes));
  Floats sums[kColumns];
  for (Floats& sum : sums)
    sum = splat(0.0F);
  for (std::size_t i = 0; i < n_rounds; ++i) {
    // The columns may have changed, for all the compiler knows: it computes them again.
    asm volatile("" : : "r"(columns) : "memory");
#pragma GCC unroll 8
    for (std::size_t c = 0; c < kColumns; ++c)
      sums[c] = mul_add(to_floats(dots<PackedDefaults>(w, columns[c], 0)), splat(1.0F), sums[c]);
  }
  float numbers[kRowLanes];
  float all = 0;
  for (const Floats& sum : sums) {
    store(sum, numbers);
    all += numbers[0];
  }
  *result = all;
  return 2.0 * static_cast<double>(n_rounds * kColumns * sizeof(w));
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE::KINGLET_BYTE_PEAK
