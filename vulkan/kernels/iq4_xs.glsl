// IQ4_XS as a GGUF file holds it: blocks of 256 elements in 8 sub-blocks of 32 that share an f16 scale
// and have 6-bit ones each, in two pieces; byte j of a sub-block's 16 holds element j in its low half
// and element j + 16 in its high half; element = scale · (sub-scale − 32) · level of the half.
// 136 bytes a block, so words are aligned.
#include "iq4_levels.glsl"
#include "quads.glsl"

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

// A chunk is a sub-block.
struct Chunk {
  uint words[4];
  uint upper_scales;
  uint low_scales;
  float scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  BlockIq4_Xs block = BlockIq4_Xs(row + uint64_t(chunk / 8) * 136ul);
  Chunk c;
  c.scale = float(block.scale);
  c.upper_scales = uint(block.upper_scales);
  c.low_scales = block.low_scales;
  [[unroll]] for (uint i = 0; i < 4; ++i) c.words[i] = block.words[chunk % 8 * 4 + i];
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) { return shared_level_bytes(half_bytes(c.words[i % 4], i)); }
vec4 quad_values(Chunk c, uint chunk, uint i) {
  return vec4(shared_levels(half_bytes(c.words[i % 4], i)));
}
vec2 group_scale(Chunk c, uint chunk, uint g) {
  const uint s = chunk % 8;
  const uint sub_scale = (c.low_scales >> s * 4 & 15u) | (c.upper_scales >> s * 2 & 3u) << 4;
  return vec2(c.scale * (float(sub_scale) - 32.0), 0.0);
}
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
