#version 460
// Q4_0 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q4_0.glsl"
#include "../mul_mat_matrix.glsl"
