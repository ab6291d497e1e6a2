#version 460
// Q4_K matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "q4_k.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
