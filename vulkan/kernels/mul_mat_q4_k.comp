#version 460
// Q4_K matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "q4_k.glsl"
#include "mul_mat.glsl"
