// BF16 weights; layout in inference/quant/bf16.cpp.
#include <bit>
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/bf16.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_bf16(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint16_t, decltype(floats)> uppers;
  const auto* in = reinterpret_cast<const std::uint16_t*>(blocks);
  std::size_t i = 0;
  for (; i + hn::Lanes(floats) <= n; i += hn::Lanes(floats)) {
    const auto bits = hn::ShiftLeft<16>(hn::PromoteTo(ints, hn::LoadU(uppers, in + i)));
    hn::StoreU(hn::BitCast(floats, bits), floats, out + i);
  }
  for (; i < n; ++i) {
    std::uint16_t upper = 0;
    std::memcpy(&upper, blocks + 2 * i, 2);
    out[i] = std::bit_cast<float>(std::uint32_t{upper} << 16);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_bf16);

extern const Format kBF16;
constinit const Format kBF16 = {
    .type = TensorType::kBF16,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_bf16)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
