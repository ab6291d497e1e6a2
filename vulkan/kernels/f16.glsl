// F16 as a GGUF file holds it: 2 bytes an element, and no better aligned than that.
const uint kBlockElements = 1;
const uint kBlockBytes = 2;

layout(buffer_reference, scalar, buffer_reference_align = 2) buffer Halfs { float16_t at[]; };
layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer ConstHalfs {
  float16_t at[];
};

float load1(uint64_t row, uint i) { return float(ConstHalfs(row).at[i]); }

vec4 load4(uint64_t row, uint i) {
  ConstHalfs values = ConstHalfs(row);
  return vec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
}

void store1(uint64_t row, uint i, float value) { Halfs(row).at[i] = float16_t(value); }

const uint kChunkElements = 8;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideF16 {
  uvec4 at[];
};

struct Chunk {
  uvec4 words;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  if ((uint(row) & 15u) == 0u) return Chunk(WideF16(row).at[chunk]);
  const uint i = chunk * kChunkElements;
  const vec4 first = load4(row, i);
  const vec4 second = load4(row, i + 4);
  return Chunk(uvec4(packHalf2x16(first.xy), packHalf2x16(first.zw), packHalf2x16(second.xy),
                     packHalf2x16(second.zw)));
}

vec4 quad_values(Chunk c, uint chunk, uint i) {
  return vec4(unpackHalf2x16(c.words[i * 2]), unpackHalf2x16(c.words[i * 2 + 1]));
}
#include "plain_quads.glsl"
