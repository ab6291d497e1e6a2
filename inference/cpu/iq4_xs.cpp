// IQ4_XS weights; layout in inference/quant/iq4_xs.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/iq4_xs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/iq4_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

void dequantize_iq4_xs(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t element = 0; element < n; element += 256, blocks += 136) {
    std::uint16_t upper_scales = 0;
    std::uint32_t low_scales = 0;
    std::memcpy(&upper_scales, blocks + 2, 2);
    std::memcpy(&low_scales, blocks + 4, 4);
    const float d = load_half(blocks);
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 8);
    for (int s = 0; s < 8; ++s, quants += 16, out += 32) {
      const std::uint32_t scale = (low_scales >> 4 * s & 15) | (upper_scales >> 2 * s & 3) << 4;
      dequantize_iq4_levels(quants, d * static_cast<float>(static_cast<int>(scale) - 32), out);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_iq4_xs);

extern const Format kIQ4_XS;
constinit const Format kIQ4_XS = {
    .type = TensorType::kIQ4_XS,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_iq4_xs)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
