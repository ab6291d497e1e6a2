#version 460
// Q4_1 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q4_1.glsl"
#include "mul_mat.glsl"
