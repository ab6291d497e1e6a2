#version 460
// IQ4_XS matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#include "mul_mat_vec.glsl"
