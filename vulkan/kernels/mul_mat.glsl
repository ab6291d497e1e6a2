// Matrix times matrix, for prefill: output[t][r] = Σ_c weights[r][c] · input[t][c] + bias[r].
//
//   weights (n_rows, n_columns) of the including file's block format
//   bias    (n_rows) f32, or the address 0: none
//   input   rows of (n_tokens, input_stride) f32; n_columns elements of each
//   output  rows of (n_tokens, output_stride) f32; n_rows elements of each
//
// A workgroup computes a tile of kTile rows × kTile tokens: it dequantizes kDepth columns of both
// sides into shared memory, multiplies, and goes on. Each of its 8 × 8 invocations holds 4 × 4 sums.
// Workgroups folded over x and y = rows / kTile, z = tokens / kTile.
const uint kTile = 32;
const uint kDepth = 32;
const uint kSide = 8;          // invocations along a tile's side
const uint kSums = kTile / kSide;
const uint kWorkgroupSize = kSide * kSide;

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
  uint n_tokens;
};

// [column][row or token]; the odd stride spreads a column's stores over the banks.
shared float weight_tile[kDepth][kTile + 1];
shared float vector_tile[kDepth][kTile + 1];

vec4 weights_at(uint row, uint column) {
  if (row >= n_rows || column >= n_columns) return vec4(0.0);
  const uint64_t row_bytes = uint64_t(n_columns / kBlockElements) * uint64_t(kBlockBytes);
  const uint64_t address = weights + uint64_t(row) * row_bytes;
  if (column + 4 <= n_columns) return load4(address, column);
  vec4 values = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 3; ++i) {
    if (column + i < n_columns) values[i] = load1(address, column + i);
  }
  return values;
}

vec4 vectors_at(uint token, uint column) {
  if (token >= n_tokens) return vec4(0.0);
  ConstFloats x = ConstFloats(float_row(vectors, token, input_stride));
  vec4 values = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (column + i < n_columns) values[i] = x.at[column + i];
  }
  return values;
}

void main() {
  const uint first_row = folded_group() * kTile;
  if (first_row >= n_rows) return;
  const uint first_token = gl_WorkGroupID.z * kTile;
  const uint lane = gl_LocalInvocationID.x;
  const uint row_lane = lane % kSide;
  const uint token_lane = lane / kSide;

  float sums[kSums][kSums];
  [[unroll]] for (uint t = 0; t < kSums; ++t) {
    [[unroll]] for (uint r = 0; r < kSums; ++r) sums[t][r] = 0.0;
  }
  for (uint column = 0; column < n_columns; column += kDepth) {
    for (uint pass = 0; pass < kTile * kDepth / 4 / kWorkgroupSize; ++pass) {
      const uint task = lane + pass * kWorkgroupSize;
      const uint line = task / (kDepth / 4);
      const uint depth = task % (kDepth / 4) * 4;
      const vec4 w = weights_at(first_row + line, column + depth);
      const vec4 v = vectors_at(first_token + line, column + depth);
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        weight_tile[depth + i][line] = w[i];
        vector_tile[depth + i][line] = v[i];
      }
    }
    barrier();
    for (uint depth = 0; depth < kDepth; ++depth) {
      float w[kSums];
      [[unroll]] for (uint r = 0; r < kSums; ++r) w[r] = weight_tile[depth][row_lane + r * kSide];
      [[unroll]] for (uint t = 0; t < kSums; ++t) {
        const float v = vector_tile[depth][token_lane + t * kSide];
        [[unroll]] for (uint r = 0; r < kSums; ++r) sums[t][r] += w[r] * v;
      }
    }
    barrier();
  }
  [[unroll]] for (uint t = 0; t < kSums; ++t) {
    const uint token = first_token + token_lane + t * kSide;
    if (token >= n_tokens) continue;
    Floats line = Floats(float_row(result, token, output_stride));
    [[unroll]] for (uint r = 0; r < kSums; ++r) {
      const uint row = first_row + row_lane + r * kSide;
      if (row >= n_rows) continue;
      line.at[row] = bias == 0ul ? sums[t][r] : sums[t][r] + ConstFloats(bias).at[row];
    }
  }
}
