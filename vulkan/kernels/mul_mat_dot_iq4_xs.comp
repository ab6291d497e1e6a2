#version 460
// IQ4_XS matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#include "mul_mat_dot.glsl"
