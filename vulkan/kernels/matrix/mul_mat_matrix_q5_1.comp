#version 460
// Q5_1 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q5_1.glsl"
#include "../mul_mat_matrix.glsl"
