#version 460
// values[t][i] ← cap · tanh(values[t][i] / cap), as Gemma 2 bounds its logits.
//
//   values  (n_tokens, row_stride) f32; the first n_columns elements of a row change
//
// One invocation an element: workgroups along x over the columns, y = token.
#include "common.glsl"
#include "activations.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t values;
  uint n_columns;
  uint row_stride;
  float cap;
};

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i >= n_columns) return;
  Floats row = Floats(float_row(values, gl_WorkGroupID.y, row_stride));
  row.at[i] = soft_capped(row.at[i], cap);
}
