#version 460
// The second half of a low-rank product, for few columns:
// output[t][r] += scale · Σ_k weights[k][r] · input[t][k].
//
//   weights (n_columns, n_rows) f32: transposed, so that neighbours read neighbouring numbers
//   input   (n_tokens, n_columns) f32
//   output  rows of (n_tokens, output_stride) f32; n_rows elements of each
//
// One invocation an element: x over the rows, y = token.
// Hu et al., LoRA (2021).
#include "common.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t weights;
  uint64_t vectors;
  uint64_t result;
  uint n_rows;
  uint n_columns;
  uint output_stride;
  float scale;
};

void main() {
  const uint row = gl_GlobalInvocationID.x;
  if (row >= n_rows) return;
  const uint token = gl_WorkGroupID.y;
  ConstFloats x = ConstFloats(float_row(vectors, token, n_columns));
  float sum = 0.0;
  for (uint k = 0; k < n_columns; ++k) {
    sum += ConstFloats(float_row(weights, k, n_rows)).at[row] * x.at[k];
  }
  Floats y = Floats(float_row(result, token, output_stride));
  y.at[row] += scale * sum;
}
