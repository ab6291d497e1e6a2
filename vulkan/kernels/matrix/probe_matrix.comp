#version 460
// Multiplies cooperative matrices in registers and does nothing else: what the device's matrix units
// are measured with. Four sums a subgroup, so that none waits for itself.
//
//   result  one u32; written only if the sums hold a number nobody expects
#include "../common.glsl"
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require

layout(local_size_x = 256, local_size_x_id = 0) in;  // subgroups · their width
layout(constant_id = 1) const uint kM = 16;
layout(constant_id = 2) const uint kN = 16;
layout(constant_id = 3) const uint kK = 16;

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Result { uint word; };

layout(push_constant, scalar) uniform Push {
  uint64_t result;
  uint n_rounds;  // of four products
  float factor;
};

void main() {
  const uint kSums = 4;
  coopmat<float16_t, gl_ScopeSubgroup, kM, kK, gl_MatrixUseA> a =
      coopmat<float16_t, gl_ScopeSubgroup, kM, kK, gl_MatrixUseA>(float16_t(factor));
  coopmat<float16_t, gl_ScopeSubgroup, kK, kN, gl_MatrixUseB> b =
      coopmat<float16_t, gl_ScopeSubgroup, kK, kN, gl_MatrixUseB>(float16_t(factor));
  coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator> sums[kSums];
  [[unroll]] for (uint i = 0; i < kSums; ++i) {
    sums[i] = coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator>(float(i));
  }
  for (uint round = 0; round < n_rounds; ++round) {
    [[unroll]] for (uint i = 0; i < kSums; ++i) sums[i] = coopMatMulAdd(a, b, sums[i]);
  }
  bool is_unexpected = false;
  [[unroll]] for (uint i = 0; i < kSums; ++i) {
    for (uint j = 0; j < sums[i].length(); ++j) is_unexpected = is_unexpected || sums[i][j] == 12345.678;
  }
  if (is_unexpected) Result(result).word = 1u;
}
