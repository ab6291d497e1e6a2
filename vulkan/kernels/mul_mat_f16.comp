#version 460
// F16 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "f16.glsl"
#include "mul_mat.glsl"
