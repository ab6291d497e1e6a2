#version 460
// Q5_1 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q5_1.glsl"
#include "mul_mat.glsl"
