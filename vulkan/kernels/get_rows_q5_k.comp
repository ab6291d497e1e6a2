#version 460
// Embedding rows of a Q5_K table; see get_rows.glsl.
#include "common.glsl"
#include "q5_k.glsl"
#include "get_rows.glsl"
