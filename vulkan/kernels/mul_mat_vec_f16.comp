#version 460
// F16 matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "f16.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
