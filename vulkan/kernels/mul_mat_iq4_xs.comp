#version 460
// IQ4_XS matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#include "mul_mat.glsl"
