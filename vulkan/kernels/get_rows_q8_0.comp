#version 460
// Embedding rows of a Q8_0 table; see get_rows.glsl.
#include "common.glsl"
#include "q8_0.glsl"
#include "get_rows.glsl"
