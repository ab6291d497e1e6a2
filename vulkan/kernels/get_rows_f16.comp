#version 460
// Embedding rows of a F16 table; see get_rows.glsl.
#include "common.glsl"
#include "f16.glsl"
#include "get_rows.glsl"
