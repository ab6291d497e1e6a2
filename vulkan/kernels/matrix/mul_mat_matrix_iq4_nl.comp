#version 460
// IQ4_NL matrix times matrix by cooperative matrices; see mul_mat_matrix.glsl.
#include "../common.glsl"
#include "../iq4_nl.glsl"
#include "../mul_mat_matrix.glsl"
