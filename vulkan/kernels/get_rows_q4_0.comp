#version 460
// Embedding rows of a Q4_0 table; see get_rows.glsl.
#include "common.glsl"
#include "q4_0.glsl"
#include "get_rows.glsl"
