// Q4_0 weights; layout in inference/quant/q4_0.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/small_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q4_0(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const auto eight = hn::Set(ints, 8);
  for (std::size_t element = 0; element < n;
       element += kSmallBlock, blocks += 18, out += kSmallBlock) {
    const auto scale = hn::Set(floats, load_half(blocks));
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 2);
    for_nibbles(pairs, kPairBytes, [&](std::size_t i, auto low, auto high) {
      const auto store = [&](auto quants, float* to) {
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, hn::Sub(quants, eight))), floats, to);
      };
      store(low, out + i);
      store(high, out + i + kPairBytes);
    });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_0);

extern const Format kQ4_0;
constinit const Format kQ4_0 = {
    .type = TensorType::kQ4_0,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q4_0)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
