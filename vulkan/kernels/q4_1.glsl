// Q4_1 as a GGUF file holds it: blocks of 32 elements, an f16 scale, an f16 minimum and 16 bytes;
// byte j holds element j in its low half and element j + 16 in its high half; element = scale · half
// + minimum. 20 bytes a block, so words are aligned.
#include "quads.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 20;

layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer BlockQ4_1 {
  float16_t scale;
  float16_t minimum;
  uint words[4];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ4_1 block = BlockQ4_1(row + uint64_t(i / 32) * 20ul);
  const uint halves = block.words[i % 16 / 4] >> (i % 32 < 16 ? 0 : 4);
  const uvec4 quants = uvec4(halves, halves >> 8, halves >> 16, halves >> 24) & 15u;
  return float(block.scale) * vec4(quants) + float(block.minimum);
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

struct Chunk {
  uint words[4];
  vec2 scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  ConstUints from = ConstUints(row + uint64_t(chunk) * 20ul);
  Chunk c;
  c.scale = unpackHalf2x16(from.at[0]);
  [[unroll]] for (uint i = 0; i < 4; ++i) c.words[i] = from.at[i + 1];
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) { return half_bytes(c.words[i % 4], i); }
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) { return c.scale; }
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
