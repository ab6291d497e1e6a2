#version 460
// Multiplies and adds halves in registers and does nothing else: what the device's f16 arithmetic is
// measured with. Sixteen sums an invocation, two in a register, so that none waits for itself.
//
//   result  one u32; written only if the sums are a number nobody expects
#include "common.glsl"
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x = 256) in;

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Result { uint word; };

layout(push_constant, scalar) uniform Push {
  uint64_t result;
  uint n_rounds;  // of 16 multiplications and as many additions
  float factor;
};

void main() {
  const f16vec2 f = f16vec2(factor);
  f16vec2 sums[8];
  [[unroll]] for (uint i = 0; i < 8; ++i) {
    sums[i] = f16vec2(float16_t(gl_LocalInvocationID.x), float16_t(i));
  }
  for (uint round = 0; round < n_rounds; ++round) {
    [[unroll]] for (uint i = 0; i < 8; ++i) sums[i] = fma(sums[i], f, f);
  }
  f16vec2 sum = f16vec2(0.0);
  [[unroll]] for (uint i = 0; i < 8; ++i) sum += sums[i];
  if (float(sum.x) + float(sum.y) == 12345.678) Result(result).word = 1u;
}
