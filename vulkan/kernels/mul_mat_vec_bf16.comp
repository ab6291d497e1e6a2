#version 460
// BF16 matrix times vector; see mul_mat_vec.glsl.
#include "common.glsl"
#include "bf16.glsl"
#include "mul_mat_vec.glsl"
