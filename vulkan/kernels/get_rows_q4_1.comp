#version 460
// Embedding rows of a Q4_1 table; see get_rows.glsl.
#include "common.glsl"
#include "q4_1.glsl"
#include "get_rows.glsl"
