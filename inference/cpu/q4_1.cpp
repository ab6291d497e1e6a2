// Q4_1 weights; layout in inference/quant/q4_1.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/small_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_1.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q4_1(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  for (std::size_t element = 0; element < n;
       element += kSmallBlock, blocks += 20, out += kSmallBlock) {
    const auto scale = hn::Set(floats, load_half(blocks));
    const auto min = hn::Set(floats, load_half(blocks + 2));
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 4);
    for_nibbles(pairs, kPairBytes, [&](std::size_t i, auto low, auto high) {
      hn::StoreU(hn::MulAdd(hn::ConvertTo(floats, low), scale, min), floats, out + i);
      hn::StoreU(hn::MulAdd(hn::ConvertTo(floats, high), scale, min), floats, out + i + kPairBytes);
    });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_1);

extern const Format kQ4_1;
constinit const Format kQ4_1 = {
    .type = TensorType::kQ4_1,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q4_1)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
