#version 460
// Gaussian error linear unit by its tanh approximation, in place; see activations.glsl.
//
//   values  (n_tokens, row_stride) f32; the first n_columns elements of a row change
//
// One invocation an element: x over the columns, y = token.
#include "common.glsl"
#include "activations.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t values;
  uint n_columns;
  uint row_stride;
};

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i >= n_columns) return;
  Floats row = Floats(float_row(values, gl_WorkGroupID.y, row_stride));
  row.at[i] = gelu(row.at[i]);
}
