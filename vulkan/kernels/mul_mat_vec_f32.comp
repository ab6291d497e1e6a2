#version 460
// F32 matrices times vectors; see mul_mat_vec.glsl.
#include "common.glsl"
#include "f32.glsl"
#include "mul_mat_vec.glsl"
#include "mul_mat_vec_float.glsl"
