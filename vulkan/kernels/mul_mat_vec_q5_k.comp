#version 460
// Q5_K matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q5_k.glsl"
#include "mul_mat_vec.glsl"
