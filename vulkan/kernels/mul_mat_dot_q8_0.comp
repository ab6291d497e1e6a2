#version 460
// Q8_0 matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "q8_0.glsl"
#include "mul_mat_dot.glsl"
