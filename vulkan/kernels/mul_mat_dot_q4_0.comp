#version 460
// Q4_0 matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "q4_0.glsl"
#include "mul_mat_dot.glsl"
