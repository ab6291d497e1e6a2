// BF16 as a GGUF file holds it: the upper half of a float, 2 bytes an element.
const uint kBlockElements = 1;
const uint kBlockBytes = 2;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer Uppers {
  uint16_t at[];
};

float load1(uint64_t row, uint i) { return uintBitsToFloat(uint(Uppers(row).at[i]) << 16); }

vec4 load4(uint64_t row, uint i) {
  Uppers values = Uppers(row);
  const uvec4 uppers = uvec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
  return uintBitsToFloat(uppers << 16);
}

const uint kChunkElements = 8;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideBF16 {
  uvec4 at[];
};

struct Chunk {
  uvec4 words;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  if ((uint(row) & 15u) == 0u) return Chunk(WideBF16(row).at[chunk]);
  Uppers values = Uppers(row);
  Chunk c;
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    const uint at = chunk * kChunkElements + i * 2;
    c.words[i] = uint(values.at[at]) | uint(values.at[at + 1]) << 16;
  }
  return c;
}

vec4 quad_values(Chunk c, uint chunk, uint i) {
  const uvec2 words = uvec2(c.words[i * 2], c.words[i * 2 + 1]);
  return uintBitsToFloat(uvec4(words.x << 16, words.x & 0xffff0000u, words.y << 16,
                               words.y & 0xffff0000u));
}
#include "plain_quads.glsl"
