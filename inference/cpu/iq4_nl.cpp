// IQ4_NL weights; layout in inference/quant/iq4_nl.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/iq4_nl.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/iq4_levels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

void dequantize_iq4_nl(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t element = 0; element < n; element += 32, blocks += 18, out += 32) {
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 2);
    dequantize_iq4_levels(quants, load_half(blocks), out);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_iq4_nl);

extern const Format kIQ4_NL;
constinit const Format kIQ4_NL = {
    .type = TensorType::kIQ4_NL,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_iq4_nl)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
