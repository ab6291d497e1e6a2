#version 460
// Q5_0 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q5_0.glsl"
#include "../mul_mat_matrix.glsl"
