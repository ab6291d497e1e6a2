#version 460
// Q4_K matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../q4_k.glsl"
#include "../mul_mat_matrix.glsl"
