#version 460
// Cache write to Q4_0 blocks of rotated heads; see cache_write_blocks.glsl. The number of the
// greatest magnitude becomes the quant −8 exactly.
#include "common.glsl"
#include "q4_0.glsl"
const uint kWorkgroupSize = 64;
const bool kRotated = true;
#include "rotation.glsl"

layout(buffer_reference, scalar, buffer_reference_align = 2) writeonly buffer NewBlock {
  float16_t scale;
  uint16_t pairs[8];
};

uint quant(float x, float inverse) { return uint(clamp(x * inverse + 8.5, 0.0, 15.0)); }

void store_block(uint64_t row, uint index) {
  const uint first = index * kBlockElements;
  float greatest = 0.0;  // with its sign
  [[dont_unroll]] for (uint i = 0; i < kBlockElements; ++i) {
    const float x = head_vector[first + i];
    if (abs(x) > abs(greatest)) greatest = x;
  }
  const float scale = greatest / -8.0;
  const float inverse = scale != 0.0 ? 1.0 / scale : 0.0;
  NewBlock block = NewBlock(row + uint64_t(index * kBlockBytes));
  block.scale = float16_t(scale);
  [[dont_unroll]] for (uint i = 0; i < kBlockElements / 2; i += 2) {
    uint pair = 0;
    [[unroll]] for (uint j = 0; j < 2; ++j) {
      const uint low = quant(head_vector[first + i + j], inverse);
      const uint high = quant(head_vector[first + i + j + 16], inverse);
      pair |= (low | high << 4) << (8 * j);
    }
    block.pairs[i / 2] = uint16_t(pair);
  }
}
#include "cache_write_blocks.glsl"
