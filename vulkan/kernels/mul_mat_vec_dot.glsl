// Activations of a matrix-vector product as bytes, multiplied by integer dot products. Each group of
// a chunk's columns has a scale of its own: its largest magnitude is 127. Rounding to bytes needs no
// pass of its own either: each workgroup does it for the slab, from the cache that holds the vectors.
#include "packed_dot.glsl"

// [token][group of a chunk][chunk]
shared uvec4 quant_slab[kTokens * kChunkGroups * kSlabChunks];
// Likewise: the scale, and the scale times the sum of the quants.
shared vec2 scale_slab[kTokens * kChunkGroups * kSlabChunks];

const uint kUnit = kGroupElements;

void put_unit(uint token, uint unit, vec4 values[kUnit / 4]) {
  float largest = 0.0;
  [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
    const vec4 magnitude = abs(values[j]);
    largest = max(largest, max(max(magnitude.x, magnitude.y), max(magnitude.z, magnitude.w)));
  }
  const float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
  uvec4 quants;
  int total = 0;
  [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
    const ivec4 rounded = ivec4(roundEven(values[j] * inverse));
    const uvec4 bytes = uvec4(rounded) & 255u;
    quants[j] = bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
    total += rounded.x + rounded.y + rounded.z + rounded.w;
  }
  // A largest magnitude that is not finite makes the scale so, and with it every sum.
  const float scale = largest / 127.0;
  const uvec2 place = quad_place(unit * kGroupQuads);
  const uint at = (token * kChunkGroups + place.y / kGroupQuads) * kSlabChunks + place.x;
  quant_slab[at] = quants;
  scale_slab[at] = vec2(scale, scale * float(total));
}

void multiply(uint chunk, uint slab_chunk) {
  [[unroll]] for (uint g = 0; g < kChunkGroups; ++g) {
    vec2 scales[kRows];
    uvec4 quants[kRows];
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      scales[r] = group_scale(chunks[r], chunk, g);
      [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
        quants[r][j] = quad_bytes(chunks[r], chunk, g * kGroupQuads + j);
      }
    }
    [[unroll]] for (uint t = 0; t < kTokens; ++t) {
      const uint at = (t * kChunkGroups + g) * kSlabChunks + slab_chunk;
      const uvec4 x = quant_slab[at];
      const vec2 scale = scale_slab[at];
      [[unroll]] for (uint r = 0; r < kRows; ++r) {
        int total = 0;
        [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
          total += packed_dot(quants[r][j], x[j], 0);
        }
        sums[r * kTokens + t] += scales[r].x * (scale.x * float(total)) + scales[r].y * scale.y;
      }
    }
  }
}

// Rows are whole blocks.
void multiply_tail(uint first, uint lane, uint n_lanes) {}

#include "mul_mat_vec_main.glsl"
