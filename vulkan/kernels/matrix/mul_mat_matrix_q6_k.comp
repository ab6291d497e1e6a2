#version 460
// Q6_K matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q6_k.glsl"
#include "../mul_mat_matrix.glsl"
