#version 460
// Reads memory and does nothing else: what the device's bandwidth is measured with.
//
//   vectors  (n_vectors) of 16 bytes
//   result   one u32; written only if the words add up to a number nobody expects, so that no
//            compiler leaves the reading out
//
// Invocation i of n_invocations reads the vectors i, i + n_invocations, …, four in flight.
#include "common.glsl"

layout(local_size_x = 256) in;

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer Vectors {
  uvec4 at[];
};
layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Result { uint word; };

layout(push_constant, scalar) uniform Push {
  uint64_t vectors;
  uint64_t result;
  uint n_vectors;
  uint n_invocations;
};

void main() {
  Vectors from = Vectors(vectors);
  uvec4 sum = uvec4(0u);
  uint i = folded_group() * 256 + gl_LocalInvocationID.x;
  if (i >= n_invocations) return;
  for (; i + 3 * n_invocations < n_vectors; i += 4 * n_invocations) {
    const uvec4 a = from.at[i];
    const uvec4 b = from.at[i + n_invocations];
    const uvec4 c = from.at[i + 2 * n_invocations];
    const uvec4 d = from.at[i + 3 * n_invocations];
    sum += (a ^ b) + (c ^ d);
  }
  for (; i < n_vectors; i += n_invocations) sum += from.at[i];
  if (sum.x + sum.y + sum.z + sum.w == 0x9e3779b9u) Result(result).word = 1u;
}
