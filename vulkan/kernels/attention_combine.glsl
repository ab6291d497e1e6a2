// Joins the splits of attention.glsl: output = Σ_s e^(max_s − max) · numerator_s, divided by
// Σ_s e^(max_s − max) · sum_s. A split that saw nothing has the sum 0 and does not count.
//
// Where the values were rotated (kRotated, of the including file) the result is turned back.
//
//   partials  (n_tokens, n_heads, n_splits, head_dim + 2) f32
//   output    (n_tokens, n_heads, head_dim) f32
//
// One workgroup for each head (x) and token (y).
const uint kWorkgroupSize = 64;
#include "rotation.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t partials;
  uint64_t result;
  uint n_splits;
  uint head_dim;
};

void main() {
  const uint line = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  const uint stride = head_dim + 2;
  ConstFloats splits = ConstFloats(float_row(partials, line * n_splits, stride));
  Floats y = Floats(float_row(result, line, head_dim));
  float maximum = splits.at[head_dim];
  for (uint s = 1; s < n_splits; ++s) maximum = max(maximum, splits.at[s * stride + head_dim]);
  for (uint i = gl_LocalInvocationID.x; i < head_dim; i += kWorkgroupSize) {
    float numerator = 0.0;
    float sum = 0.0;
    for (uint s = 0; s < n_splits; ++s) {
      const uint split = s * stride;
      const float split_sum = splits.at[split + head_dim + 1];
      if (split_sum == 0.0) continue;
      const float weight = exp(splits.at[split + head_dim] - maximum);
      numerator += weight * splits.at[split + i];
      sum += weight * split_sum;
    }
    const float attended = numerator / sum;
    if (kRotated) {
      head_vector[i] = attended;
    } else {
      y.at[i] = attended;
    }
  }
  if (kRotated) {
    unrotate_head(head_dim);
    for (uint i = gl_LocalInvocationID.x; i < head_dim; i += kWorkgroupSize) y.at[i] = head_vector[i];
  }
}
