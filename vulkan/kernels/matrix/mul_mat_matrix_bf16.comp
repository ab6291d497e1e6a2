#version 460
// BF16 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../bf16.glsl"
#include "../mul_mat_matrix.glsl"
