#version 460
// Q5_1 matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "q5_1.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
