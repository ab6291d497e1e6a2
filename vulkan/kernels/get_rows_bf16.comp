#version 460
// Embedding rows of a BF16 table; see get_rows.glsl.
#include "common.glsl"
#include "bf16.glsl"
#include "get_rows.glsl"
