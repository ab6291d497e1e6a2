#include "inference/cpu/packed/instructions.h"

#include <algorithm>
#include <atomic>

#include <hwy/detect_targets.h>

#if HWY_ARCH_X86
#include <cpuid.h>
#endif

namespace kinglet::inference::cpu {

namespace {

// What the system keeps of a thread's registers was asked by whoever chose AVX2 or AVX-512: VNNI
// adds none.
ByteProducts found(bool has_wide_vectors) {
#if HWY_ARCH_X86
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (has_wide_vectors) {
    constexpr unsigned kAvx512Vnni = 1U << 11;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & kAvx512Vnni) != 0)
      return ByteProducts::kVnni;
  } else {
    constexpr unsigned kAvxVnni = 1U << 4;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvxVnni) != 0)
      return ByteProducts::kVnni;
  }
#else
  (void)has_wide_vectors;
#endif
  return ByteProducts::kPairs;
}

std::atomic<ByteProducts> most_wanted = ByteProducts::kVnni;

}  // namespace

ByteProducts best_byte_products(bool has_wide_vectors) {
  static const ByteProducts kNarrow = found(false);
  static const ByteProducts kWide = found(true);
  return std::min(has_wide_vectors ? kWide : kNarrow, most_wanted.load(std::memory_order_relaxed));
}

void limit_byte_products(ByteProducts most) {
  most_wanted = most;
}

}  // namespace kinglet::inference::cpu
