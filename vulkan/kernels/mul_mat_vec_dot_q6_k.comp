#version 460
// Q6_K matrices times vectors rounded to bytes; see mul_mat_vec.glsl.
#include "common.glsl"
#include "q6_k.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_dot.glsl"
