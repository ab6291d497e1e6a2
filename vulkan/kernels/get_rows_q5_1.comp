#version 460
// Embedding rows of a Q5_1 table; see get_rows.glsl.
#include "common.glsl"
#include "q5_1.glsl"
#include "get_rows.glsl"
