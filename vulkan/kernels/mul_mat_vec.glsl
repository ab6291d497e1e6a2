// Matrix times vector, for few tokens: output[t][r] = Σ_c weights[r][c] · input[t][c] + bias[r].
//
//   weights (n_rows, n_columns) of the including file's block format
//   bias    (n_rows) f32, or the address 0: none
//   input   rows of (n_tokens, input_stride) f32; n_columns elements of each
//   output  rows of (n_tokens, output_stride) f32; n_rows elements of each
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
  uint64_t bias;
  uint64_t vectors;
  uint64_t result;
  uint n_rows;
  uint n_columns;
  uint input_stride;
  uint output_stride;
};

void main() {
  const uint first_row = folded_group() * kRows;
  if (first_row >= n_rows) return;
  const uint token = gl_WorkGroupID.z;
  const uint lane = gl_LocalInvocationID.x;
  const uint64_t row_bytes = uint64_t(n_columns / kBlockElements) * uint64_t(kBlockBytes);
  ConstFloats x = ConstFloats(float_row(vectors, token, input_stride));

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
  const uint row = first_row + lane;
  if (lane < kRows && row < n_rows) {
    const float total = bias == 0ul ? totals[lane] : totals[lane] + ConstFloats(bias).at[row];
    Floats(float_row(result, token, output_stride)).at[row] = total;
  }
}
