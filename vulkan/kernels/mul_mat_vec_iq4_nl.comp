#version 460
// IQ4_NL matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "iq4_nl.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
