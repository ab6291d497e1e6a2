#version 460
// Q4_1 matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q4_1.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
