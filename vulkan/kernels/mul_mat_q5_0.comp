#version 460
// Q5_0 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q5_0.glsl"
#include "mul_mat.glsl"
