#version 460
// F32 matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "f32.glsl"
#include "mul_mat_vec.glsl"
