// Q5_K as a GGUF file holds it: blocks of 256 elements in 8 sub-blocks of 32 that share an f16 scale
// and an f16 minimum and have 6-bit ones each. Bit s of the j-th of 32 bytes is the fifth bit of
// element j of sub-block s; then sub-blocks lie in pairs, byte j of a pair's 32 bytes holds four bits
// of element j of the first in its low half and of the second in its high half; element =
// scale · sub-scale · quant − minimum · sub-minimum. 176 bytes a block, so words are aligned.
#include "quads.glsl"
#include "super_block.glsl"

const uint kBlockElements = 256;
const uint kBlockBytes = 176;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer BlockQ5_K {
  float16_t scale;
  float16_t minimum;
  uvec3 sub_blocks;
  uint fifths[8];
  uint words[32];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ5_K block = BlockQ5_K(row + uint64_t(i / 256) * 176ul);
  const uint s = i % 256 / 32;
  const vec2 sub = sub_block_scales(block.sub_blocks, s);
  const uint low = block.words[s / 2 * 8 + i % 32 / 4] >> s % 2 * 4 & 0x0f0f0f0fu;
  const uint bytes = low | (block.fifths[i % 32 / 4] >> s & 0x01010101u) << 4;
  const uvec4 quants = uvec4(bytes, bytes >> 8, bytes >> 16, bytes >> 24) & 31u;
  return float(block.scale) * sub.x * vec4(quants) - float(block.minimum) * sub.y;
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideQ5_K {
  uvec4 header;
  uvec4 fifths[2];
  uvec4 words[8];
};

struct Chunk {
  uvec4 header;  // the halves, the sub-blocks' scales
  uvec4 fifths;
  uvec4 words;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  WideQ5_K block = WideQ5_K(row + uint64_t(chunk / 8) * 176ul);
  return Chunk(block.header, block.fifths[chunk % 2], block.words[chunk % 8]);
}

uint quad_bytes(Chunk c, uint chunk, uint i) {
  const uint s = chunk % 8 / 2 * 2 + i / kGroupQuads;
  return half_bytes(c.words[i % 4], i) | (c.fifths[i % 4] >> s & 0x01010101u) << 4;
}
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) {
  return pair_scale(c.header.x, c.header.yzw, chunk % 8 / 2, g);
}
uvec2 quad_place(uint quad) { return quad_in_pair(quad); }
uint quad_at(uint chunk, uint i) { return pair_quad_at(chunk, i); }
