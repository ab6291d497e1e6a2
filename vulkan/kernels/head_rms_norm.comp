#version 460
// Root mean square normalization of each head (Zhang and Sennrich 2019; on queries and keys as in
// Dehghani et al. 2023), in place:
// head[i] ← head[i] · weight[i] / sqrt(mean_j(head[j]²) + epsilon).
//
//   heads   (n_tokens, row_stride) f32; the first n_heads · head_dim elements of a row
//   weight  (head_dim) f32
//
// One workgroup for each head (x) and token (y).
#include "common.glsl"
const uint kWorkgroupSize = 64;
#include "reduce.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t heads;
  uint64_t weight;
  uint head_dim;
  uint row_stride;
  float epsilon;
};

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const uint64_t row = float_row(heads, gl_WorkGroupID.y, row_stride);
  Floats head = Floats(row + uint64_t(gl_WorkGroupID.x * head_dim) * 4ul);
  ConstFloats w = ConstFloats(weight);
  float sum = 0.0;
  for (uint i = lane; i < head_dim; i += kWorkgroupSize) sum += head.at[i] * head.at[i];
  const float factor = inversesqrt(workgroup_sum(sum) / float(head_dim) + epsilon);
  for (uint i = lane; i < head_dim; i += kWorkgroupSize) head.at[i] *= factor * w.at[i];
}
