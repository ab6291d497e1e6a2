#version 460
// BF16 matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "bf16.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
