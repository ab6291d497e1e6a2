// Q6_K as a GGUF file holds it: blocks of 256 elements in 16 groups of 16, a signed byte each as
// scale, and an f16 scale of all; element = scale · group's scale · (quant − 32). Each half of a block
// is four rows of 32: element j of row r has four bits in byte j + 32 · (r mod 2) of the half's 64,
// the low half of it for rows 0 and 1, and two upper ones at bit 2r of byte j of the half's 32.
// 210 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
#include "quads.glsl"

const uint kBlockElements = 256;
const uint kBlockBytes = 210;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockQ6_K {
  uint16_t low[64];
  uint16_t upper[32];
  uint16_t scales[8];
  float16_t scale;
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ6_K block = BlockQ6_K(row + uint64_t(i / 256) * 210ul);
  const uint side = i % 256 / 128;
  const uint r = i % 128 / 32;
  const uint at = side * 16 + i % 32 / 2;
  const uint low_at = at + (side + r % 2) * 16;
  const uint low = uint(block.low[low_at]) | uint(block.low[low_at + 1]) << 16;
  const uint upper = uint(block.upper[at]) | uint(block.upper[at + 1]) << 16;
  const uint bytes = (low >> r / 2 * 4 & 0x0f0f0f0fu) | (upper >> r * 2 & 0x03030303u) << 4;
  const uvec4 quants = uvec4(bytes, bytes >> 8, bytes >> 16, bytes >> 24) & 63u;
  const int two_scales = int(uint(block.scales[i % 256 / 32]));
  const int group_scale = bitfieldExtract(two_scales, int(i % 32 / 16 * 8), 8);
  return float(block.scale) * float(group_scale) * (vec4(quants) - 32.0);
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }

// A chunk is 16 bytes of low bits: 16 elements of row 0 or 1 of a half, and of the row two below.
struct Chunk {
  uint low[4];
  uint upper[4];
  ivec2 group_scales;
  float scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  const uint64_t address = row + uint64_t(chunk / 8) * 210ul;
  const uint side = chunk % 8 / 4;
  const uint part = chunk % 4;  // row 0 or 1, then 16 of its 32 elements
  const bool odd = is_odd(address);
  ConstUints from = words_at(address);
  BlockQ6_K block = BlockQ6_K(address);
  Chunk c;
  uint low[5];
  uint upper[5];
  [[unroll]] for (uint i = 0; i < 5; ++i) low[i] = from.at[chunk % 8 * 4 + i];
  [[unroll]] for (uint i = 0; i < 5; ++i) upper[i] = from.at[32 + side * 8 + part % 2 * 4 + i];
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    c.low[i] = odd ? low[i] >> 16 | low[i + 1] << 16 : low[i];
    c.upper[i] = (odd ? upper[i] >> 16 | upper[i + 1] << 16 : upper[i]) >> part / 2 * 2;
  }
  const ivec2 two_scales = ivec2(int(block.scales[side * 4 + part / 2]),
                                 int(block.scales[side * 4 + part / 2 + 2]));
  const int at = int(part % 2 * 8);
  c.group_scales = ivec2(bitfieldExtract(two_scales.x, at, 8), bitfieldExtract(two_scales.y, at, 8));
  c.scale = float(block.scale);
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) {
  const uint upper = c.upper[i % 4] >> i / kGroupQuads * 4 & 0x03030303u;
  return half_bytes(c.low[i % 4], i) | upper << 4;
}
vec4 quad_values(Chunk c, uint chunk, uint i) { return unsigned_quad(quad_bytes(c, chunk, i)); }
vec2 group_scale(Chunk c, uint chunk, uint g) {
  const float scale = c.scale * float(c.group_scales[g]);
  return vec2(scale, -32.0 * scale);
}
uvec2 quad_place(uint quad) {
  const uint r = quad % 32 / 8;
  const uint chunk = quad / 64 * 8 + quad % 64 / 32 * 4 + r % 2 * 2 + quad % 8 / 4;
  return uvec2(chunk, r / 2 * 4 + quad % 4);
}
uint quad_at(uint chunk, uint i) {
  const uint r = chunk % 4 / 2 + i / 4 * 2;
  return chunk / 8 * 64 + chunk % 8 / 4 * 32 + r * 8 + chunk % 2 * 4 + i % 4;
}
