// What the tiled products share, whatever they multiply with: the push constants, which tile a
// workgroup computes, where its lines come from and where its results go.
//
//   result[t][r] = Σ_c weights[r][c] · input[t][c] + bias[r], stored as `store` says
//
//   weights (n_rows, n_columns) of the including file's block format; gated: the gates
//   ups     likewise; gated stores alone
//   bias    (n_rows) f32, ups_bias likewise; the address 0: none
//   result  rows of (n_tokens, output_stride) f32; n_rows elements of each
//
// A workgroup computes a tile of `kRows` lines × `kTokens` tokens. Lines are rows of the matrix, or,
// where the store is gated, rows of both in turns of kTurn, so that one workgroup has what belongs
// together. Groups folded over x and y = tiles: spans of kSpan tiles of tokens, in a span all lines,
// tiles of tokens fastest; so what runs at once shares weights and a few tokens. z = splits of the
// columns: with more than one, each writes its sums to `result` as (n_splits, n_tokens, n_lines) f32,
// gates before ups, and mul_mat_join.comp does the rest.
#include "activations.glsl"

layout(push_constant, scalar) uniform Push {
  uint64_t weights;
  uint64_t ups;
  uint64_t bias;
  uint64_t ups_bias;
  uint64_t vectors;
  uint64_t result;
  uint n_rows;
  uint n_columns;
  uint input_stride;
  uint output_stride;
  uint n_tokens;
  uint split_columns;  // a multiple of kDepth
  uint store;          // as vulkan::Store
  float scale;
};

const uint kStoreAdd = 1;
const uint kStoreSwiGlu = 2;

bool is_gated() { return store >= kStoreSwiGlu; }
bool is_split() { return gl_NumWorkGroups.z > 1; }

// Stores one element of the output; `up` counts where the store is gated.
void store_result(uint token, uint row, float value, float up) {
  Floats line = Floats(float_row(result, token, output_stride));
  if (bias != 0ul) value += ConstFloats(bias).at[row];
  if (is_gated()) {
    if (ups_bias != 0ul) up += ConstFloats(ups_bias).at[row];
    line.at[row] = (store == kStoreSwiGlu ? silu(value) : gelu(value)) * up;
  } else if (store == kStoreAdd) {
    line.at[row] += scale * value;
  } else {
    line.at[row] = scale * value;
  }
}
