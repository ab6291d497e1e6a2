// Embedding: output[t][i] = table[ids[t]][i], to f32.
//
//   table   (n_vocab, n_columns) of the including file's block format
//   ids     (n_tokens) u32, each below n_vocab
//   output  (n_tokens, n_columns) f32
//
// One invocation an element: workgroups along x over the columns, y = token.
layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t table;
  uint64_t ids;
  uint64_t result;
  uint n_columns;
};

void main() {
  const uint column = gl_GlobalInvocationID.x;
  if (column >= n_columns) return;
  const uint token = gl_WorkGroupID.y;
  const uint64_t row_bytes = uint64_t(n_columns / kBlockElements) * uint64_t(kBlockBytes);
  const uint64_t row = table + uint64_t(ConstUints(ids).at[token]) * row_bytes;
  Floats(float_row(result, token, n_columns)).at[column] = load1(row, column);
}
