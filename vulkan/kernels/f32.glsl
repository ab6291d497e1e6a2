// F32 as a GGUF file holds it: 4 bytes an element.
const uint kBlockElements = 1;
const uint kBlockBytes = 4;

// Element i of the row at this address.
float load1(uint64_t row, uint i) { return ConstFloats(row).at[i]; }

// Elements i to i + 3.
vec4 load4(uint64_t row, uint i) {
  ConstFloats values = ConstFloats(row);
  return vec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
}

void store1(uint64_t row, uint i, float value) { Floats(row).at[i] = value; }

const uint kChunkElements = 4;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideF32 {
  vec4 at[];
};

struct Chunk {
  vec4 values;
};

Chunk load_chunk(uint64_t row, uint chunk) {
  if ((uint(row) & 15u) == 0u) return Chunk(WideF32(row).at[chunk]);
  return Chunk(load4(row, chunk * kChunkElements));
}

vec4 quad_values(Chunk c, uint chunk, uint i) { return c.values; }
#include "plain_quads.glsl"
