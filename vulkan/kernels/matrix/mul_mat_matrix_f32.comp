#version 460
// F32 matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../f32.glsl"
#include "../mul_mat_matrix.glsl"
