#version 460
// F32 matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "f32.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
