#version 460
// Attention over an F16 cache; see attention.glsl.
#include "common.glsl"
#include "f16.glsl"
const bool kRotated = false;
#include "attention.glsl"
