#version 460
// IQ4_XS matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
