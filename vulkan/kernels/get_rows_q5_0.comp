#version 460
// Embedding rows of a Q5_0 table; see get_rows.glsl.
#include "common.glsl"
#include "q5_0.glsl"
#include "get_rows.glsl"
