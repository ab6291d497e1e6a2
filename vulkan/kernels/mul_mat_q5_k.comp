#version 460
// Q5_K matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q5_k.glsl"
#include "mul_mat.glsl"
