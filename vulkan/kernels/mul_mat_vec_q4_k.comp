#version 460
// Q4_K matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q4_k.glsl"
#include "mul_mat_vec.glsl"
