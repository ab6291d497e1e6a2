#version 460
// Embedding rows of an IQ4_NL table; see get_rows.glsl.
#include "common.glsl"
#include "iq4_nl.glsl"
#include "get_rows.glsl"
