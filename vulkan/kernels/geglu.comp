#version 460
// Gated linear unit with GELU (Shazeer 2020): output[t][i] = gelu(gate[t][i]) · up[t][i]; the tanh
// approximation of activations.glsl.
//
//   gate_up  (n_tokens, 2 · n_columns) f32: a row's gates, then its ups
//   output   (n_tokens, n_columns) f32
//
// One invocation an element: x over the columns, y = token.
#include "common.glsl"
#include "activations.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t gate_up;
  uint64_t result;
  uint n_columns;
};

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i >= n_columns) return;
  const uint token = gl_WorkGroupID.y;
  ConstFloats row = ConstFloats(float_row(gate_up, token, 2 * n_columns));
  Floats(float_row(result, token, n_columns)).at[i] = gelu(row.at[i]) * row.at[n_columns + i];
}
