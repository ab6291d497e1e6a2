// Q4_0 as a GGUF file holds it: blocks of 32 elements, an f16 scale and 16 bytes; byte j holds
// element j in its low half and element j + 16 in its high half; element = scale · (half − 8).
// 18 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
#include "quads.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 18;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockQ4_0 {
  float16_t scale;
  uint16_t pairs[8];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ4_0 block = BlockQ4_0(row + uint64_t(i / 32) * 18ul);
  const uint pair = i % 16 / 2;
  const uint bytes = uint(block.pairs[pair]) | uint(block.pairs[pair + 1]) << 16;
  const uint halves = bytes >> (i % 32 < 16 ? 0 : 4);
  const uvec4 quants = uvec4(halves, halves >> 8, halves >> 16, halves >> 24) & 15u;
  return float(block.scale) * (vec4(quants) - 8.0);
}

float load1(uint64_t row, uint i) {
  BlockQ4_0 block = BlockQ4_0(row + uint64_t(i / 32) * 18ul);
  const uint bytes = uint(block.pairs[i % 16 / 2]);
  const uint quant = bytes >> (i % 2 * 8 + (i % 32 < 16 ? 0 : 4)) & 15u;
  return float(block.scale) * (float(quant) - 8.0);
}

struct Chunk {
  uint words[4];
  float scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  const uint64_t address = row + uint64_t(chunk) * 18ul;
  const bool odd = is_odd(address);
  ConstUints from = words_at(address);
  uint words[5];
  [[unroll]] for (uint i = 0; i < 5; ++i) words[i] = from.at[i];
  Chunk c;
  c.scale = first_half(words[0], odd);
  [[unroll]] for (uint i = 0; i < 4; ++i) c.words[i] = shifted(words[i], words[i + 1], odd);
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) { return half_bytes(c.words[i % 4], i); }
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) { return vec2(c.scale, -8.0 * c.scale); }
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
