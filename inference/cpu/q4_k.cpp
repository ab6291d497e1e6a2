// Q4_K weights; layout in inference/quant/q4_k.cpp.
#include <cstdint>

#include "inference/cpu/formats.h"
#include "inference/quant/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/super_block-inl.h"
#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

void dequantize_q4_k(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t element = 0; element < n;
       element += kSuperBlock, blocks += 144, out += kSuperBlock) {
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    dequantize_super_block(
        blocks, pairs, out, [](std::size_t, std::size_t, auto nibbles) { return nibbles; });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_k);

extern const Format kQ4_K;
constinit const Format kQ4_K = {
    .type = TensorType::kQ4_K,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q4_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
