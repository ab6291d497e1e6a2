// Q6_K weights; layout in inference/quant/q6_k.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q6_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q6_k(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  const auto bits_4_5 = hn::Set(ints, 0x30);
  const auto middle = hn::Set(ints, 32);
  for (std::size_t element = 0; element < n; element += 256, blocks += 210) {
    const float d = load_half(blocks + 208);
    const auto* low_bits = reinterpret_cast<const std::uint8_t*>(blocks);
    const auto* upper_bits = low_bits + 128;
    const auto* scales = reinterpret_cast<const std::int8_t*>(blocks + 192);
    for (int part = 0; part < 2;
         ++part, low_bits += 64, upper_bits += 32, scales += 8, out += 128) {
      for (std::size_t i = 0; i < 32; i += hn::Lanes(floats)) {
        const auto low_0_2 = hn::PromoteTo(ints, hn::LoadU(bytes, low_bits + i));
        const auto low_1_3 = hn::PromoteTo(ints, hn::LoadU(bytes, low_bits + i + 32));
        const auto upper = hn::PromoteTo(ints, hn::LoadU(bytes, upper_bits + i));
        const auto store = [&](std::size_t row, auto low, auto two_bits) {
          const std::size_t sub_block = 2 * row + i / 16;
          const auto scale = hn::Set(floats, d * static_cast<float>(scales[sub_block]));
          const auto quant = hn::Sub(hn::Or(low, hn::And(two_bits, bits_4_5)), middle);
          hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, quant)), floats, out + row * 32 + i);
        };
        store(0, hn::And(low_0_2, low_nibble), hn::ShiftLeft<4>(upper));
        store(1, hn::And(low_1_3, low_nibble), hn::ShiftLeft<2>(upper));
        store(2, hn::ShiftRight<4>(low_0_2), upper);
        store(3, hn::ShiftRight<4>(low_1_3), hn::ShiftRight<2>(upper));
      }
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q6_k);

extern const Format kQ6_K;
constinit const Format kQ6_K = {
    .type = TensorType::kQ6_K,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q6_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
