#version 460
// IQ4_XS matrix times matrix, tiled, in f16; see mul_mat.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#define KINGLET_HALF
#include "mul_mat.glsl"
