#version 460
// Rotary position embedding (Su et al. 2021) in the paper's own pairing, in place: for each head and
// each i < n_rotated / 2, elements (2i, 2i + 1) turn by the angle of the token's position:
// (a, b) → (a·cos − b·sin, a·sin + b·cos). Elements from n_rotated on stay.
//
//   heads      (n_tokens, row_stride) f32; the first n_heads · head_dim elements of a row
//   positions  (n_tokens) u32
//   table      (n_positions, n_rotated / 2, 2) f32: cos and sin; see rope_neox.comp
//
// One invocation a pair: x over heads · pairs, y = token.
#include "common.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t heads;
  uint64_t positions;
  uint64_t table;
  uint n_heads;
  uint head_dim;
  uint n_rotated;
  uint row_stride;
};

void main() {
  const uint n_pairs = n_rotated / 2;
  const uint index = gl_GlobalInvocationID.x;
  if (index >= n_heads * n_pairs) return;
  const uint token = gl_WorkGroupID.y;
  const uint pair = index % n_pairs;
  const uint even = index / n_pairs * head_dim + pair * 2;
  ConstFloats turn =
      ConstFloats(float_row(table, ConstUints(positions).at[token], n_rotated));
  const float c = turn.at[pair * 2];
  const float s = turn.at[pair * 2 + 1];
  Floats row = Floats(float_row(heads, token, row_stride));
  const float a = row.at[even];
  const float b = row.at[even + 1];
  row.at[even] = a * c - b * s;
  row.at[even + 1] = a * s + b * c;
}
