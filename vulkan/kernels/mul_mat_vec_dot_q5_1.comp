#version 460
// Q5_1 matrices times vectors rounded to bytes; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q5_1.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_dot.glsl"
