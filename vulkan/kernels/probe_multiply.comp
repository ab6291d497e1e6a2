#version 460
// Multiplies and adds in registers and does nothing else: what the device's f32 arithmetic is
// measured with. Sixteen sums an invocation, so that none waits for itself.
//
//   result  one u32; written only if the sums are a number nobody expects
#include "common.glsl"

layout(local_size_x = 256) in;

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Result { uint word; };

layout(push_constant, scalar) uniform Push {
  uint64_t result;
  uint n_rounds;  // of 16 multiplications and as many additions
  float factor;
};

void main() {
  vec4 a = vec4(gl_LocalInvocationID.x);
  vec4 b = a + 1.0;
  vec4 c = a + 2.0;
  vec4 d = a + 3.0;
  const vec4 f = vec4(factor);
  for (uint i = 0; i < n_rounds; ++i) {
    a = fma(a, f, f);
    b = fma(b, f, f);
    c = fma(c, f, f);
    d = fma(d, f, f);
  }
  const vec4 sum = a + b + c + d;
  if (sum.x + sum.y + sum.z + sum.w == 12345.678) Result(result).word = 1u;
}
