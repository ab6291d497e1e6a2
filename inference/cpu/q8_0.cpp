// Q8_0 weights; layout in inference/quant/q8_0.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q8_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q8_0(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::int8_t, decltype(floats)> bytes;
  for (std::size_t element = 0; element < n; element += 32, blocks += 34, out += 32) {
    const auto scale = hn::Set(floats, load_half(blocks));
    const auto* quants = reinterpret_cast<const std::int8_t*>(blocks + 2);
    for (std::size_t i = 0; i < 32; i += hn::Lanes(floats)) {
      const auto wide = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
      hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, wide)), floats, out + i);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q8_0);

extern const Format kQ8_0;
constinit const Format kQ8_0 = {
    .type = TensorType::kQ8_0,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q8_0)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
