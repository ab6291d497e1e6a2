#version 460
// Q4_K matrices times vectors rounded to bytes; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q4_k.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_dot.glsl"
