// F16 weights; layout in inference/quant/f16.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/f16.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_f16(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<hwy::float16_t, decltype(floats)> halves;
  const auto* in = reinterpret_cast<const hwy::float16_t*>(blocks);
  std::size_t i = 0;
  // Without conversion instructions Highway takes infinity for 65536: a damaged file would pass.
  constexpr bool kConverts =
      HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;
  for (; kConverts && i + hn::Lanes(floats) <= n; i += hn::Lanes(floats)) {
    hn::StoreU(hn::PromoteTo(floats, hn::LoadU(halves, in + i)), floats, out + i);
  }
  for (; i < n; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, blocks + 2 * i, 2);
    out[i] = half_to_float(half);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_f16);

extern const Format kF16;
constinit const Format kF16 = {
    .type = TensorType::kF16,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_f16)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
