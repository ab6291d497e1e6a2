#version 460
// Embedding rows of a F32 table; see get_rows.glsl.
#include "common.glsl"
#include "f32.glsl"
#include "get_rows.glsl"
