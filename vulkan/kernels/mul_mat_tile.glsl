// Which tile a workgroup computes, and its lines (mul_mat_frame.glsl). The including file has
// `kRows`, `kTokens`, `kTurn` and `kResultTokens`.
#include "mul_mat_frame.glsl"

struct Tile {
  uint first_line;
  uint first_token;
  uint begin;  // columns
  uint end;
};

uint n_lines() { return is_gated() ? 2 * n_rows : n_rows; }

Tile tile_of_group() {
  const uint kSpan = 8;
  const uint n_line_tiles = (n_lines() + kRows - 1) / kRows;
  const uint n_token_tiles = (n_tokens + kTokens - 1) / kTokens;
  const uint span = folded_group() / (n_line_tiles * kSpan);
  const uint in_span = folded_group() % (n_line_tiles * kSpan);
  const uint width = min(kSpan, n_token_tiles - min(span * kSpan, n_token_tiles - 1));
  const uint begin = gl_WorkGroupID.z * split_columns;
  return Tile(in_span / width * kRows, (span * kSpan + in_span % width) * kTokens, begin,
              min(begin + split_columns, n_columns));
}

// The folded grid has groups to spare.
bool is_outside(Tile tile) {
  return tile.first_line >= n_lines() || tile.first_token >= n_tokens || tile.begin >= tile.end;
}

// A line's matrix (0: weights, 1: ups) and row, which may lie past the end.
uvec2 line_place(uint line) {
  if (!is_gated()) return uvec2(0, line);
  return uvec2(line / kTurn & 1, line / (2 * kTurn) * kTurn + line % kTurn);
}

// Where a line's weights lie; past the end, those of the last row, whose results are not stored.
uint64_t line_address(uint line) {
  const uvec2 place = line_place(line);
  const uint64_t row_bytes = uint64_t(n_columns / kBlockElements) * uint64_t(kBlockBytes);
  return (place.x == 0 ? weights : ups) + uint64_t(min(place.y, n_rows - 1)) * row_bytes;
}

// The tile's sums of some tokens, line by line, on their way out: [token][line].
shared float result_tile[kResultTokens * kRows];

// Stores what every invocation of the workgroup has put there; tokens from `first_token` on, `stride`
// apart.
void store_results(Tile tile, uint first_token, uint stride) {
  barrier();
  const bool gated = is_gated();
  const uint n_results = gated ? kRows / 2 : kRows;
  for (uint i = gl_LocalInvocationID.x; i < kResultTokens * n_results; i += gl_WorkGroupSize.x) {
    const uint token = first_token + i / n_results * stride;
    const uint result_idx = i % n_results;
    const uint line = gated ? result_idx + result_idx / kTurn * kTurn : result_idx;
    const uint row = line_place(tile.first_line + line).y;
    if (token >= n_tokens || row >= n_rows) continue;
    const uint at = i / n_results * kRows + line;
    const float value = result_tile[at];
    const float up = gated ? result_tile[at + kTurn] : 0.0;
    if (is_split()) {
      const uint64_t first = uint64_t(gl_WorkGroupID.z) * n_tokens + token;
      Floats sums = Floats(result + first * n_lines() * 4ul);
      sums.at[row] = value;
      if (gated) sums.at[n_rows + row] = up;
    } else {
      store_result(token, row, value, up);
    }
  }
  barrier();
}
