#version 460
// Q4_1 matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "q4_1.glsl"
#include "mul_mat_dot.glsl"
