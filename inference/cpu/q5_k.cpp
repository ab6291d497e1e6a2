// Q5_K weights; layout in inference/quant/q5_k.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q5_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/super_block-inl.h"
#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q5_k(const std::byte* blocks, std::size_t n, float* out) {
  const hn::Rebind<std::int32_t, hn::CappedTag<float, kPadding>> ints;
  const hn::Rebind<std::uint8_t, decltype(ints)> bytes;
  const auto sixteen = hn::Set(ints, 16);
  for (std::size_t element = 0; element < n;
       element += kSuperBlock, blocks += 176, out += kSuperBlock) {
    const auto* fifths = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 48);
    dequantize_super_block(blocks, pairs, out, [&](std::size_t s, std::size_t i, auto nibbles) {
      // Bit s, brought to bit 4.
      const auto upper = hn::PromoteTo(ints, hn::LoadU(bytes, fifths + i));
      const auto fifth = hn::ShiftRightSame(hn::ShiftLeft<4>(upper), static_cast<int>(s));
      return hn::Or(nibbles, hn::And(fifth, sixteen));
    });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q5_k);

extern const Format kQ5_K;
constinit const Format kQ5_K = {
    .type = TensorType::kQ5_K,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q5_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
