#version 460
// F16 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../f16.glsl"
#include "../mul_mat_matrix.glsl"
