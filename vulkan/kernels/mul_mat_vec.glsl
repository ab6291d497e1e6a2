// Matrices times a few vectors: result[t][r] = Σ_c weights[r][c] · input[t][c] + bias[r], of up to
// three matrices of one block format and one width, each with an output of its own.
//
//   weights      (n_rows, n_columns) of the including file's block format
//   bias         (n_rows) f32, or the address 0: none
//   input        rows of (n_tokens, input_stride) f32; n_columns elements of each
//   norm_weight  (n_columns) f32: each input row x stands for
//                x[c] · norm_weight[c] / sqrt(mean(x²) + epsilon); or the address 0: for itself
//   output       rows of (n_tokens, output_stride) f32; n_rows elements of each
//
// The store: output = scale · result; or output += scale · result; or, with gates in part 0 and ups
// of the same shape in part 1, output 0 = activation(gate) · up.
//
// Each subgroup computes kRows rows for kTokens tokens: its invocations stride over the row in
// chunks (quads.glsl), each loaded for all rows at once before the first is used, so that many loads
// are in flight. What they are multiplied with lies in shared memory, kSlab columns of all tokens at
// a time, normed while it is put there: the norm costs no pass of its own, and its factor, known at
// the end, is applied to the sums. A slab's first weights are on their way while it is filled.
//
// Workgroups folded over x and y; neighbours are the token tiles of the same rows, which find the
// weights in a cache; then the rows of part 0, of part 1, of part 2. The dispatch may have more
// groups than there is work: how many rows a group has depends on the subgroups the driver makes.
//
// The file that includes this one includes before it a format, and after it
// mul_mat_vec_float.glsl or mul_mat_vec_dot.glsl, which say how activations are kept and multiplied.
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint kWorkgroupSize = 64;
layout(constant_id = 1) const uint kRows = 4;     // of a subgroup; even
layout(constant_id = 2) const uint kTokens = 1;   // of a tile
layout(constant_id = 3) const uint kSlab = 2048;  // columns; a multiple of 256

const uint kSums = kRows * kTokens;
const uint kSlabChunks = kSlab / kChunkElements;
const uint kGroupElements = kChunkElements / kChunkGroups;

// As in vulkan/operations/products.h.
const uint kStorePlain = 0;
const uint kStoreAdd = 1;
const uint kStoreSwiGlu = 2;
const uint kStoreGeGlu = 3;

struct Part {
  uint64_t weights;
  uint64_t bias;
  uint64_t result;
  uint n_rows;  // 0: there is no such part
  uint stride;
};

layout(push_constant, scalar) uniform Push {
  Part parts[3];
  uint64_t vectors;
  uint64_t norm_weight;
  uint shape;  // n_columns: 16 bits, n_tokens: 8, store: 8
  uint input_stride;
  float epsilon;
  float scale;
};

uint n_columns() { return shape & 0xffffu; }
uint n_tokens() { return shape >> 16 & 0xffu; }
uint store_kind() { return shape >> 24; }
bool is_gated() { return store_kind() >= kStoreSwiGlu; }

#include "activations.glsl"

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer WideFloats {
  vec4 at[];
};

// What an invocation holds: globals, because arrays that a specialization constant sizes cannot be
// passed to functions.
uint64_t rows[kRows];
Chunk chunks[kRows];
float sums[kSums];       // [row][token]
float squares[kTokens];  // of the input, what this invocation put into shared memory

// Columns c to c + 3 of an f32 row, zeros past its end; c is a multiple of 4.
vec4 float_quad(uint64_t row, uint c) {
  if (kBlockElements > 1) return WideFloats(row).at[c / 4];
  vec4 values = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (c + i < n_columns()) values[i] = ConstFloats(row).at[c + i];
  }
  return values;
}
