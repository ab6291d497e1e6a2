#version 460
// Q6_K matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q6_k.glsl"
#include "mul_mat.glsl"
