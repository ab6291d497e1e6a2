// Activations of a matrix-vector product as they are, f32.

// [token][quad of a chunk][chunk]; the odd stride spreads a chunk's quads over the banks.
const uint kLine = kSlabChunks | 1u;
shared vec4 vector_slab[kTokens * kChunkQuads * kLine];

// The unit that one invocation puts into the slab at a time.
const uint kUnit = 4;

void put_unit(uint token, uint unit, vec4 values[kUnit / 4]) {
  const uvec2 place = quad_place(unit);
  vector_slab[(token * kChunkQuads + place.y) * kLine + place.x] = values[0];
}

vec4 vector_at(uint token, uint i, uint chunk) {
  return vector_slab[(token * kChunkQuads + i) * kLine + chunk];
}

// Adds what the rows' chunks and the slab's give.
void multiply(uint chunk, uint slab_chunk) {
  [[unroll]] for (uint g = 0; g < kChunkGroups; ++g) {
    if (kTokens == 1) {
      // One token: scale and offset are applied to sums.
      float group_sums[kRows];
      [[unroll]] for (uint r = 0; r < kRows; ++r) group_sums[r] = 0.0;
      float total = 0.0;
      [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
        const uint i = g * kGroupQuads + j;
        const vec4 x = vector_at(0, i, slab_chunk);
        total += dot(x, vec4(1.0));
        [[unroll]] for (uint r = 0; r < kRows; ++r) {
          group_sums[r] += dot(quad_values(chunks[r], chunk, i), x);
        }
      }
      [[unroll]] for (uint r = 0; r < kRows; ++r) {
        const vec2 scale = group_scale(chunks[r], chunk, g);
        sums[r] += scale.x * group_sums[r] + scale.y * total;
      }
    } else {
      vec2 scales[kRows];
      [[unroll]] for (uint r = 0; r < kRows; ++r) scales[r] = group_scale(chunks[r], chunk, g);
      [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
        const uint i = g * kGroupQuads + j;
        vec4 x[kTokens];
        [[unroll]] for (uint t = 0; t < kTokens; ++t) x[t] = vector_at(t, i, slab_chunk);
        [[unroll]] for (uint r = 0; r < kRows; ++r) {
          const vec4 w = quad_values(chunks[r], chunk, i) * scales[r].x + scales[r].y;
          [[unroll]] for (uint t = 0; t < kTokens; ++t) sums[r * kTokens + t] += dot(w, x[t]);
        }
      }
    }
  }
}

// Adds what the slab's columns after the row's last whole chunk give.
void multiply_tail(uint first, uint lane, uint n_lanes) {
  if (kBlockElements > 1) return;
  const uint begin = max(first, n_columns() / kChunkElements * kChunkElements);
  for (uint c = begin + lane; c < min(first + kSlab, n_columns()); c += n_lanes) {
    const uvec2 place = quad_place((c - first) / 4);
    [[unroll]] for (uint r = 0; r < kRows; ++r) {
      const float w = load1(rows[r], c);
      [[unroll]] for (uint t = 0; t < kTokens; ++t) {
        sums[r * kTokens + t] += w * vector_at(t, place.y, place.x)[c % 4];
      }
    }
  }
}

#include "mul_mat_vec_main.glsl"
