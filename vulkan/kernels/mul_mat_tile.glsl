// Which tile a workgroup computes, and its lines (mul_mat_frame.glsl). The including file has
// `kRows`, `kTokens`, `kTurn` and `kResults`.
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

// Sums on their way out: blocks of [token][line].
shared float result_tile[kResults];

// Stores the block from `at` on: `lines` lines from the tile's `first_line` on, a whole number of
// turns of both matrices where the store is gated, of `tokens` tokens, `stride` apart. Invocations
// `lane` of `n_lanes` share the work, and barriers stand before and after.
void store_block(Tile tile, uint at, uint first_line, uint lines, uint first_token, uint tokens,
                 uint stride, uint lane, uint n_lanes) {
  const bool gated = is_gated();
  const uint n_results = gated ? lines / 2 : lines;
  for (uint i = lane; i < tokens * n_results; i += n_lanes) {
    const uint token = tile.first_token + first_token + i / n_results * stride;
    const uint result_idx = i % n_results;
    const uint line = gated ? result_idx + result_idx / kTurn * kTurn : result_idx;
    const uint row = line_place(tile.first_line + first_line + line).y;
    if (token >= n_tokens || row >= n_rows) continue;
    const uint from = at + i / n_results * lines + line;
    const float value = result_tile[from];
    const float up = gated ? result_tile[from + kTurn] : 0.0;
    if (is_split()) {
      const uint64_t first = uint64_t(gl_WorkGroupID.z) * n_tokens + token;
      Floats sums = Floats(result + first * n_lines() * 4ul);
      sums.at[row] = value;
      if (gated) sums.at[n_rows + row] = up;
    } else {
      store_result(token, row, value, up);
    }
  }
}
