#version 460
// IQ4_NL matrix times activations rounded to bytes, tiled; see mul_mat_dot.glsl.
#include "common.glsl"
#include "iq4_nl.glsl"
#include "mul_mat_dot.glsl"
