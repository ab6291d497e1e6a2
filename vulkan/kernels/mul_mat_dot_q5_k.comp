#version 460
// Q5_K matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "q5_k.glsl"
#include "mul_mat_dot.glsl"
