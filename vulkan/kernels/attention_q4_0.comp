#version 460
// Attention over a Q4_0 cache of rotated heads; see attention.glsl.
#include "common.glsl"
#include "q4_0.glsl"
const bool kRotated = true;
#include "attention.glsl"
