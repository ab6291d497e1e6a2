#version 460
// Embedding rows of a Q4_K table; see get_rows.glsl.
#include "common.glsl"
#include "q4_k.glsl"
#include "get_rows.glsl"
