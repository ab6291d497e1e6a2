#version 460
// Embedding rows of a Q6_K table; see get_rows.glsl.
#include "common.glsl"
#include "q6_k.glsl"
#include "get_rows.glsl"
