#version 460
// Q5_0 matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "q5_0.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
