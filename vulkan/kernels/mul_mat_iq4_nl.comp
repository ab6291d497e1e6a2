#version 460
// IQ4_NL matrix times matrix, tiled; see mul_mat.glsl.
#include "common.glsl"
#include "iq4_nl.glsl"
#include "mul_mat.glsl"
