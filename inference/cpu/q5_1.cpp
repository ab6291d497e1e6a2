// Q5_1 weights; layout in inference/quant/q5_1.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/small_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q5_1.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q5_1(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  for (std::size_t element = 0; element < n;
       element += kSmallBlock, blocks += 24, out += kSmallBlock) {
    std::uint32_t fifths = 0;
    std::memcpy(&fifths, blocks + 4, 4);
    const auto scale = hn::Set(floats, load_half(blocks));
    const auto min = hn::Set(floats, load_half(blocks + 2));
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 8);
    for_nibbles(pairs, kPairBytes, [&](std::size_t i, auto low, auto high) {
      const auto store = [&](auto nibbles, std::size_t at) {
        const auto quants = hn::Or(nibbles, fifth_bits(fifths, at));
        hn::StoreU(hn::MulAdd(hn::ConvertTo(floats, quants), scale, min), floats, out + at);
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

HWY_EXPORT(dequantize_q5_1);

extern const Format kQ5_1;
constinit const Format kQ5_1 = {
    .type = TensorType::kQ5_1,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q5_1)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
