#version 460
// BF16 matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "bf16.glsl"
#include "mul_mat.glsl"
