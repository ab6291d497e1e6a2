#version 460
// Multiplies bytes and adds the products in registers and does nothing else: what the device's integer
// dot products are measured with. Sixteen sums an invocation, so that none waits for itself.
//
//   result  one u32; written only if the sums are a number nobody expects
#include "common.glsl"
#include "packed_dot.glsl"

layout(local_size_x = 256) in;

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Result { uint word; };

layout(push_constant, scalar) uniform Push {
  uint64_t result;
  uint n_rounds;  // of 16 · 4 multiplications and as many additions
  float factor;   // its bytes are the factors
};

void main() {
  const uint f = floatBitsToUint(factor);
  int sums[16];
  [[unroll]] for (uint i = 0; i < 16; ++i) sums[i] = int(gl_LocalInvocationID.x + i);
  for (uint round = 0; round < n_rounds; ++round) {
    [[unroll]] for (uint i = 0; i < 16; ++i) sums[i] += packed_dot(uint(sums[i]), f, 0);
  }
  int sum = 0;
  [[unroll]] for (uint i = 0; i < 16; ++i) sum += sums[i];
  if (sum == 12345678) Result(result).word = 1u;
}
