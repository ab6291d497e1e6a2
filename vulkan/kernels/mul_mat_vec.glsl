// Matrix times vector, for few tokens: output[t][r] = Σ_c weights[r][c] · input[t][c].
//
//   weights (n_rows, n_columns) of the including file's block format
//   input   (n_tokens, n_columns) f32
//   output  (n_tokens, n_rows) f32
//
// A workgroup computes kRows rows for one token: its invocations stride over the columns four at a
// time, so that neighbours read neighbouring bytes of a row, and each input element is loaded once
// for all kRows. Workgroups folded over x and y = rows / kRows, z = token.
const uint kWorkgroupSize = 64;
const uint kRows = 4;
#include "reduce.glsl"

layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t weights;
  uint64_t vectors;
  uint64_t result;
  uint n_rows;
  uint n_columns;
};

void main() {
  const uint first_row = folded_group() * kRows;
  if (first_row >= n_rows) return;
  const uint token = gl_WorkGroupID.z;
  const uint lane = gl_LocalInvocationID.x;
  const uint64_t row_bytes = uint64_t(n_columns / kBlockElements) * uint64_t(kBlockBytes);
  ConstFloats x = ConstFloats(float_row(vectors, token, n_columns));

  uint64_t rows[kRows];
  float sums[kRows];
  [[unroll]] for (uint r = 0; r < kRows; ++r) {
    // Rows past the end repeat the last one and are not stored.
    rows[r] = weights + uint64_t(min(first_row + r, n_rows - 1)) * row_bytes;
    sums[r] = 0.0;
  }
  const uint n_whole = n_columns & ~3u;
  for (uint c = lane * 4; c < n_whole; c += kWorkgroupSize * 4) {
    const vec4 v = vec4(x.at[c], x.at[c + 1], x.at[c + 2], x.at[c + 3]);
    [[unroll]] for (uint r = 0; r < kRows; ++r) sums[r] += dot(load4(rows[r], c), v);
  }
  const uint c = n_whole + lane;
  if (c < n_columns) {
    [[unroll]] for (uint r = 0; r < kRows; ++r) sums[r] += load1(rows[r], c) * x.at[c];
  }
  const vec4 totals = workgroup_sum4(vec4(sums[0], sums[1], sums[2], sums[3]));
  if (lane < kRows && first_row + lane < n_rows) {
    Floats(float_row(result, token, n_rows)).at[first_row + lane] = totals[lane];
  }
}
