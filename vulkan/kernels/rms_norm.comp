#version 460
// Root mean square layer normalization (Zhang and Sennrich 2019):
// output[r][i] = input[r][i] · weight[i] / sqrt(mean_j(input[r][j]²) + epsilon).
//
//   input   (n_rows, n_columns) f32
//   weight  (n_columns) f32
//   output  (n_rows, n_columns) f32, may be the input
//
// One workgroup a row, folded over x and y.
#include "common.glsl"
const uint kWorkgroupSize = 256;
#include "reduce.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t vectors;
  uint64_t weight;
  uint64_t result;
  uint n_rows;
  uint n_columns;
  float epsilon;
};

void main() {
  const uint row = folded_group();
  if (row >= n_rows) return;
  const uint lane = gl_LocalInvocationID.x;
  ConstFloats x = ConstFloats(float_row(vectors, row, n_columns));
  ConstFloats w = ConstFloats(weight);
  Floats y = Floats(float_row(result, row, n_columns));
  float sum = 0.0;
  for (uint i = lane; i < n_columns; i += kWorkgroupSize) sum += x.at[i] * x.at[i];
  const float factor = inversesqrt(workgroup_sum(sum) / float(n_columns) + epsilon);
  for (uint i = lane; i < n_columns; i += kWorkgroupSize) y.at[i] = x.at[i] * factor * w.at[i];
}
