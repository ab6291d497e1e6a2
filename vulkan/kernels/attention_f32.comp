#version 460
// Attention over an F32 cache; see attention.glsl.
#include "common.glsl"
#include "f32.glsl"
const bool kRotated = false;
#include "attention.glsl"
