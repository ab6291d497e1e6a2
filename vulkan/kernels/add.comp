#version 460
// output[i] = a[i] + b[i].
//
//   a, b, output  (n_elements) f32; the output may be one of the inputs
//
// One invocation an element, workgroups folded over x and y.
#include "common.glsl"

layout(local_size_x = 64) in;

layout(push_constant, scalar) uniform Push {
  uint64_t a;
  uint64_t b;
  uint64_t result;
  uint n_elements;
};

void main() {
  const uint i = folded_group() * 64 + gl_LocalInvocationID.x;
  if (i < n_elements) Floats(result).at[i] = ConstFloats(a).at[i] + ConstFloats(b).at[i];
}
