#version 460
// BF16 matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "bf16.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
