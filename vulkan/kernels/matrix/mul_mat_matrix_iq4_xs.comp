#version 460
// IQ4_XS matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../iq4_xs.glsl"
#include "../mul_mat_matrix.glsl"
