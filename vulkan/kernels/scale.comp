#version 460
// values[t][i] ← factor · values[t][i].
//
//   values  (n_tokens, row_stride) f32; the first n_columns elements of a row change
//
// One invocation an element: workgroups along x over the columns, y = token.
#include "common.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t values;
  uint n_columns;
  uint row_stride;
  float factor;
};

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i >= n_columns) return;
  Floats(float_row(values, gl_WorkGroupID.y, row_stride)).at[i] *= factor;
}
