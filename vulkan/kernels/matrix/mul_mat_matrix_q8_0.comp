#version 460
// Q8_0 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q8_0.glsl"
#include "../mul_mat_matrix.glsl"
