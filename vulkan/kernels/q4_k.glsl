// Q4_K as a GGUF file holds it: blocks of 256 elements in 8 sub-blocks of 32 that share an f16 scale
// and an f16 minimum and have 6-bit ones each; sub-blocks lie in pairs, byte j of a pair's 32 bytes
// holds element j of the first in its low half and of the second in its high half; element =
// scale · sub-scale · half − minimum · sub-minimum. 144 bytes a block, so words are aligned.
#include "quads.glsl"
#include "super_block.glsl"

const uint kBlockElements = 256;
const uint kBlockBytes = 144;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer BlockQ4_K {
  float16_t scale;
  float16_t minimum;
  uvec3 sub_blocks;
  uint words[32];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ4_K block = BlockQ4_K(row + uint64_t(i / 256) * 144ul);
  const uint s = i % 256 / 32;
  const vec2 sub = sub_block_scales(block.sub_blocks, s);
  const uint halves = block.words[s / 2 * 8 + i % 32 / 4] >> s % 2 * 4;
  const uvec4 quants = uvec4(halves, halves >> 8, halves >> 16, halves >> 24) & 15u;
  return float(block.scale) * sub.x * vec4(quants) - float(block.minimum) * sub.y;
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideQ4_K {
  uvec4 header;
  uvec4 words[8];
};

struct Chunk {
  uvec4 header;  // the halves, the sub-blocks' scales
  uvec4 words;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  WideQ4_K block = WideQ4_K(row + uint64_t(chunk / 8) * 144ul);
  return Chunk(block.header, block.words[chunk % 8]);
}

uint quad_bytes(Chunk c, uint chunk, uint i) { return half_bytes(c.words[i % 4], i); }
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) {
  return pair_scale(c.header.x, c.header.yzw, chunk % 8 / 2, g);
}
uvec2 quad_place(uint quad) { return quad_in_pair(quad); }
uint quad_at(uint chunk, uint i) { return pair_quad_at(chunk, i); }
