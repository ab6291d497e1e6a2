// IQ4_NL as a GGUF file holds it: blocks of 32 elements, an f16 scale and 16 bytes; byte j holds
// element j in its low half and element j + 16 in its high half; element = scale · level of the half.
// 18 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
#include "iq4_levels.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 18;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockIq4_Nl {
  float16_t scale;
  uint16_t pairs[8];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockIq4_Nl block = BlockIq4_Nl(row + uint64_t(i / 32) * 18ul);
  const uint pair = i % 16 / 2;
  const uint bytes = uint(block.pairs[pair]) | uint(block.pairs[pair + 1]) << 16;
  return float(block.scale) * levels_of(bytes >> (i % 32 < 16 ? 0 : 4));
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }
