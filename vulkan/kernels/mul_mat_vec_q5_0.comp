#version 460
// Q5_0 matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q5_0.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
