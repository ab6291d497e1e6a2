#version 460
// Attention over a Q8_0 cache; see attention.glsl.
#include "common.glsl"
#include "q8_0.glsl"
const bool kRotated = false;
#include "attention.glsl"
