#version 460
// Layer normalization (Ba et al. 2016):
// output[r][i] = (input[r][i] − mean) / sqrt(variance + epsilon) · weight[i] + bias[i].
//
//   input   (n_rows, n_columns) f32
//   weight  (n_columns) f32
//   bias    (n_columns) f32, or the address 0: none
//   output  (n_rows, n_columns) f32, may be the input
//
// The variance is summed in a second walk over the row: the mean of squares less the square of the
// mean would cancel where a row's mean is large. That walk also finds what rounding left of the
// mean. One workgroup a row, folded over x and y.
#include "common.glsl"
const uint kWorkgroupSize = 256;
#include "reduce.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t vectors;
  uint64_t weight;
  uint64_t bias;
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
  for (uint i = lane; i < n_columns; i += kWorkgroupSize) sum += x.at[i];
  const float rough_mean = workgroup_sum(sum) / float(n_columns);
  vec4 sums = vec4(0.0);
  for (uint i = lane; i < n_columns; i += kWorkgroupSize) {
    const float centered = x.at[i] - rough_mean;
    sums.x += centered;
    sums.y += centered * centered;
  }
  const vec4 means = workgroup_sum4(sums) / float(n_columns);
  const float mean = rough_mean + means.x;
  const float factor = inversesqrt(means.y - means.x * means.x + epsilon);
  for (uint i = lane; i < n_columns; i += kWorkgroupSize) {
    const float normed = (x.at[i] - mean) * factor * w.at[i];
    y.at[i] = bias == 0ul ? normed : normed + ConstFloats(bias).at[i];
  }
}
