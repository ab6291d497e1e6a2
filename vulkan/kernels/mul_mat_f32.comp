#version 460
// F32 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "f32.glsl"
#include "mul_mat.glsl"
