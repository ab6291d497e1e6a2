#version 460
// F16 matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "f16.glsl"
#include "mul_mat_vec.glsl"
