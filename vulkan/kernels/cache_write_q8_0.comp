#version 460
// Cache write to Q8_0 blocks; see cache_write_blocks.glsl. The scale is the greatest magnitude over
// 127.
#include "common.glsl"
#include "q8_0.glsl"
const uint kWorkgroupSize = 64;
const bool kRotated = false;
#include "rotation.glsl"

layout(buffer_reference, scalar, buffer_reference_align = 2) writeonly buffer NewBlock {
  float16_t scale;
  uint16_t pairs[16];
};

void store_block(uint64_t row, uint index) {
  const uint first = index * kBlockElements;
  float greatest = 0.0;
  [[dont_unroll]] for (uint i = 0; i < kBlockElements; ++i) {
    greatest = max(greatest, abs(head_vector[first + i]));
  }
  const float scale = greatest / 127.0;
  const float inverse = scale != 0.0 ? 1.0 / scale : 0.0;
  NewBlock block = NewBlock(row + uint64_t(index * kBlockBytes));
  block.scale = float16_t(scale);
  [[dont_unroll]] for (uint i = 0; i < kBlockElements; i += 2) {
    const int low = int(round(head_vector[first + i] * inverse));
    const int high = int(round(head_vector[first + i + 1] * inverse));
    block.pairs[i / 2] = uint16_t(uint(low & 0xff) | uint(high & 0xff) << 8);
  }
}
#include "cache_write_blocks.glsl"
