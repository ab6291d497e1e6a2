#version 460
// Embedding rows of an IQ4_XS table; see get_rows.glsl.
#include "common.glsl"
#include "iq4_xs.glsl"
#include "get_rows.glsl"
