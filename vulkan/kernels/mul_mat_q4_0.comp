#version 460
// Q4_0 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q4_0.glsl"
#include "mul_mat.glsl"
