#version 460
// Q4_1 matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q4_1.glsl"
#include "mul_mat_vec.glsl"
