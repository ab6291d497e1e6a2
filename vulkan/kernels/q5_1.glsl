// Q5_1 as a GGUF file holds it: blocks of 32 elements, an f16 scale, an f16 minimum, 32 fifth bits
// and 16 bytes; byte j holds four bits of element j in its low half and of element j + 16 in its high
// half; element = scale · quant + minimum. 24 bytes a block, so words are aligned.
#include "quads.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 24;

layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer BlockQ5_1 {
  float16_t scale;
  float16_t minimum;
  uint fifths;  // bit j: element j
  uint words[4];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ5_1 block = BlockQ5_1(row + uint64_t(i / 32) * 24ul);
  const uint halves = block.words[i % 16 / 4] >> (i % 32 < 16 ? 0 : 4);
  const uint fifths = block.fifths >> i % 32;
  const uvec4 low = uvec4(halves, halves >> 8, halves >> 16, halves >> 24) & 15u;
  const uvec4 high = uvec4(fifths, fifths >> 1, fifths >> 2, fifths >> 3) & 1u;
  return float(block.scale) * vec4(low | high << 4) + float(block.minimum);
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

struct Chunk {
  uint words[4];
  uint fifths;
  vec2 scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  ConstUints from = ConstUints(row + uint64_t(chunk) * 24ul);
  Chunk c;
  c.scale = unpackHalf2x16(from.at[0]);
  c.fifths = from.at[1];
  [[unroll]] for (uint i = 0; i < 4; ++i) c.words[i] = from.at[i + 2];
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) {
  return half_bytes(c.words[i % 4], i) | fifth_bits(c.fifths >> i * 4);
}
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) { return c.scale; }
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
