// IQ4_XS as a GGUF file holds it: blocks of 256 elements in 8 sub-blocks of 32 that share an f16 scale
// and have 6-bit ones each, in two pieces; byte j of a sub-block's 16 holds element j in its low half
// and element j + 16 in its high half; element = scale · (sub-scale − 32) · level of the half.
// 136 bytes a block, so words are aligned.
#include "iq4_levels.glsl"

const uint kBlockElements = 256;
const uint kBlockBytes = 136;

layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer BlockIq4_Xs {
  float16_t scale;
  uint16_t upper_scales;  // two bits a sub-block
  uint low_scales;        // four bits a sub-block
  uint words[32];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockIq4_Xs block = BlockIq4_Xs(row + uint64_t(i / 256) * 136ul);
  const uint s = i % 256 / 32;
  const uint upper = uint(block.upper_scales) >> s * 2 & 3u;
  const uint sub_scale = (block.low_scales >> s * 4 & 15u) | upper << 4;
  const uint bytes = block.words[s * 4 + i % 16 / 4];
  return float(block.scale) * (float(sub_scale) - 32.0) *
         levels_of(bytes >> (i % 32 < 16 ? 0 : 4));
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }
