// Q5_0 as a GGUF file holds it: blocks of 32 elements, an f16 scale, 32 fifth bits and 16 bytes; byte
// j holds four bits of element j in its low half and of element j + 16 in its high half; element =
// scale · (quant − 16). 22 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
#include "quads.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 22;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockQ5_0 {
  float16_t scale;
  uint16_t fifths[2];  // bit j of the first: element j; of the second: element j + 16
  uint16_t pairs[8];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ5_0 block = BlockQ5_0(row + uint64_t(i / 32) * 22ul);
  const uint pair = i % 16 / 2;
  const uint bytes = uint(block.pairs[pair]) | uint(block.pairs[pair + 1]) << 16;
  const uint halves = bytes >> (i % 32 < 16 ? 0 : 4);
  const uint fifths = uint(block.fifths[i % 32 / 16]) >> i % 16;
  const uvec4 low = uvec4(halves, halves >> 8, halves >> 16, halves >> 24) & 15u;
  const uvec4 high = uvec4(fifths, fifths >> 1, fifths >> 2, fifths >> 3) & 1u;
  return float(block.scale) * (vec4(low | high << 4) - 16.0);
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

struct Chunk {
  uint words[4];
  uint fifths;
  float scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  const uint64_t address = row + uint64_t(chunk) * 22ul;
  const bool odd = is_odd(address);
  ConstUints from = words_at(address);
  uint words[6];
  [[unroll]] for (uint i = 0; i < 6; ++i) words[i] = from.at[i];
  Chunk c;
  c.scale = first_half(words[0], odd);
  c.fifths = shifted(words[0], words[1], odd);
  [[unroll]] for (uint i = 0; i < 4; ++i) c.words[i] = shifted(words[i + 1], words[i + 2], odd);
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) {
  return half_bytes(c.words[i % 4], i) | fifth_bits(c.fifths >> i * 4);
}
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) { return vec2(c.scale, -16.0 * c.scale); }
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
