#version 460
// Q5_0 matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "q5_0.glsl"
#include "mul_mat_dot.glsl"
