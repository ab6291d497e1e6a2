#version 460
// Joins the splits of a tiled product (mul_mat_frame.glsl): adds up their sums and stores the result.
//
//   vectors (n_splits = input_stride, n_tokens, n_lines) f32, gates before ups
//
// An invocation computes one element. Groups: x = rows / 64, y = tokens.
#include "common.glsl"
#include "mul_mat_frame.glsl"

layout(local_size_x = 64) in;

void main() {
  const uint row = gl_GlobalInvocationID.x;
  if (row >= n_rows) return;
  const uint token = gl_WorkGroupID.y;
  const uint n_lines = is_gated() ? 2 * n_rows : n_rows;
  float value = 0.0;
  float up = 0.0;
  for (uint split = 0; split < input_stride; ++split) {
    const uint64_t first = uint64_t(split) * n_tokens + token;
    ConstFloats sums = ConstFloats(vectors + first * n_lines * 4ul);
    value += sums.at[row];
    if (is_gated()) up += sums.at[n_rows + row];
  }
  store_result(token, row, value, up);
}
