// Q8_0 as a GGUF file holds it: blocks of 32 elements, an f16 scale and 32 signed bytes; element =
// scale · byte. 34 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
#include "quads.glsl"

const uint kBlockElements = 32;
const uint kBlockBytes = 34;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockQ8_0 {
  float16_t scale;
  uint16_t pairs[16];
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ8_0 block = BlockQ8_0(row + uint64_t(i / 32) * 34ul);
  const uint pair = i % 32 / 2;
  const int bytes = int(uint(block.pairs[pair]) | uint(block.pairs[pair + 1]) << 16);
  return float(block.scale) * vec4(bitfieldExtract(bytes, 0, 8), bitfieldExtract(bytes, 8, 8),
                                   bitfieldExtract(bytes, 16, 8), bitfieldExtract(bytes, 24, 8));
}

float load1(uint64_t row, uint i) {
  BlockQ8_0 block = BlockQ8_0(row + uint64_t(i / 32) * 34ul);
  const int bytes = int(uint(block.pairs[i % 32 / 2]));
  return float(block.scale) * float(bitfieldExtract(bytes, int(i % 2 * 8), 8));
}

struct Chunk {
  uint words[8];
  float scale;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  const uint64_t address = row + uint64_t(chunk) * 34ul;
  const bool odd = is_odd(address);
  ConstUints from = words_at(address);
  uint words[9];
  [[unroll]] for (uint i = 0; i < 9; ++i) words[i] = from.at[i];
  Chunk c;
  c.scale = first_half(words[0], odd);
  [[unroll]] for (uint i = 0; i < 8; ++i) c.words[i] = shifted(words[i], words[i + 1], odd);
  return c;
}

uint quad_bytes(Chunk c, uint chunk, uint i) { return c.words[i]; }
vec4 quad_values(Chunk c, uint chunk, uint i) { return signed_quad(c.words[i]); }
vec2 group_scale(Chunk c, uint chunk, uint g) { return vec2(c.scale, 0.0); }
uvec2 quad_place(uint quad) { return quad_in_block(quad); }
uint quad_at(uint chunk, uint i) { return block_quad_at(chunk, i); }
