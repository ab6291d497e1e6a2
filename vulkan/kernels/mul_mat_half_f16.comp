#version 460
// F16 matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "f16.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
