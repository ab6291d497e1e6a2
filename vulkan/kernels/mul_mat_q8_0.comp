#version 460
// Q8_0 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q8_0.glsl"
#include "mul_mat.glsl"
