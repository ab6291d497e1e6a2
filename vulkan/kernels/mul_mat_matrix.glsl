// Matrix times matrix by cooperative matrices, for prefill, tiled (mul_mat_frame.glsl has shapes and
// grid).
//
// A workgroup loads kDepth columns of both sides into shared memory as f16, the weights chunk by
// chunk (quads.glsl), the activations in the chunks' order, multiplies, and goes on. Each of its
// subgroups holds the sums of kGroupLines × kGroupTokens of the tile in f32, in matrices of kM lines ×
// kN tokens. Both sides lie in shared memory line by line, with 8 columns to spare, which keep lines
// aligned and apart.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x = 256, local_size_x_id = 0) in;  // subgroups · their width
layout(constant_id = 1) const uint kRows = 64;
layout(constant_id = 2) const uint kTokens = 64;
layout(constant_id = 3) const uint kGroupLines = 32;
layout(constant_id = 4) const uint kGroupTokens = 32;
layout(constant_id = 5) const uint kDepth = 64;
layout(constant_id = 6) const uint kM = 16;
layout(constant_id = 7) const uint kN = 16;
layout(constant_id = 8) const uint kK = 16;

const uint kLineGroups = kRows / kGroupLines;
const uint kTokenGroups = kTokens / kGroupTokens;
const uint kMatrixLines = kGroupLines / kM;
const uint kMatrixTokens = kGroupTokens / kN;
const uint kQuads = kDepth / 4;
const uint kStride = kQuads + 2;
const uint kTurn = kM / 2;
const uint kResults = kLineGroups * kTokenGroups * kM * kN;
#include "mul_mat_tile.glsl"

// f16 ends at 65504. Activations may go beyond, and lose nothing that matters by a smaller scale.
const float kInputScale = 1.0 / 16.0;

#define Quad f16vec4
shared Quad weight_tile[kRows * kStride];
shared Quad vector_tile[kTokens * kStride];

#include "mul_mat_load.glsl"

void main() {
  const Tile tile = tile_of_group();
  if (is_outside(tile)) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint first_line = gl_SubgroupID % kLineGroups * kGroupLines;
  const uint first_token = gl_SubgroupID / kLineGroups * kGroupTokens;
#ifdef KINGLET_PREPARE_CHUNKS
  KINGLET_PREPARE_CHUNKS;
  barrier();
#endif

  coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator>
      sums[kMatrixLines * kMatrixTokens];
  [[unroll]] for (uint i = 0; i < kMatrixLines * kMatrixTokens; ++i) {
    sums[i] = coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator>(0.0);
  }
  for (uint column = tile.begin; column < tile.end; column += kDepth) {
    load_weights(tile.first_line, column, lane);
    load_vectors(tile.first_token, column, lane);
    barrier();
    [[unroll]] for (uint k = 0; k < kDepth; k += kK) {
      coopmat<float16_t, gl_ScopeSubgroup, kM, kK, gl_MatrixUseA> w[kMatrixLines];
      [[unroll]] for (uint i = 0; i < kMatrixLines; ++i) {
        coopMatLoad(w[i], weight_tile, (first_line + i * kM) * kStride + k / 4, kStride,
                    gl_CooperativeMatrixLayoutRowMajor);
      }
      [[unroll]] for (uint j = 0; j < kMatrixTokens; ++j) {
        coopmat<float16_t, gl_ScopeSubgroup, kK, kN, gl_MatrixUseB> v;
        coopMatLoad(v, vector_tile, (first_token + j * kN) * kStride + k / 4, kStride,
                    gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint i = 0; i < kMatrixLines; ++i) {
          sums[j * kMatrixLines + i] = coopMatMulAdd(w[i], v, sums[j * kMatrixLines + i]);
        }
      }
    }
    barrier();
  }
  const uint at = gl_SubgroupID * kM * kN;
  [[unroll]] for (uint i = 0; i < kMatrixLines * kMatrixTokens; ++i) {
    sums[i] *= 1.0 / kInputScale;
    coopMatStore(sums[i], result_tile, at, kM, gl_CooperativeMatrixLayoutColumnMajor);
    barrier();
    store_block(tile, at, first_line + i % kMatrixLines * kM, kM,
                first_token + i / kMatrixLines * kN, kN, 1, gl_SubgroupInvocationID,
                gl_SubgroupSize);
    barrier();
  }
}
