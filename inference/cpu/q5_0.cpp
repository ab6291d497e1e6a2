// Q5_0 weights; layout in inference/quant/q5_0.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/small_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q5_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q5_0(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const auto sixteen = hn::Set(ints, 16);
  for (std::size_t element = 0; element < n;
       element += kSmallBlock, blocks += 22, out += kSmallBlock) {
    std::uint32_t fifths = 0;
    std::memcpy(&fifths, blocks + 2, 4);
    const auto scale = hn::Set(floats, load_half(blocks));
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 6);
    for_nibbles(pairs, kPairBytes, [&](std::size_t i, auto low, auto high) {
      const auto store = [&](auto nibbles, std::size_t at) {
        const auto quants = hn::Sub(hn::Or(nibbles, fifth_bits(fifths, at)), sixteen);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, quants)), floats, out + at);
      };
      store(low, i);
      store(high, i + kPairBytes);
    });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q5_0);

extern const Format kQ5_0;
constinit const Format kQ5_0 = {
    .type = TensorType::kQ5_0,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q5_0)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
