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

// Quants are centered: their products with centered activations then have no common part to cancel.
void unpack_q4_k(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += kSuperBlock, blocks += 144) {
    unpack_sub_blocks(blocks, 8, element, out);
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    for (std::size_t i = 0; i < kSuperBlock; i += 2 * kSubBlock) {
      unpack_nibbles(pairs + i / 2, kSubBlock, 8, out.quants + element + i);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_k);
HWY_EXPORT(unpack_q4_k);

extern const Format kQ4_K;
constinit const Format kQ4_K = {
    .type = TensorType::kQ4_K,
    .dequantize = [](auto... args) { return HWY_DYNAMIC_DISPATCH(dequantize_q4_k)(args...); },
    .unpack = [](auto... args) { return HWY_DYNAMIC_DISPATCH(unpack_q4_k)(args...); },
    .has_offsets = true,
};

}  // namespace kinglet::inference::cpu
#endif
