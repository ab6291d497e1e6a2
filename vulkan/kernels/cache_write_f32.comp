#version 460
// Stores keys and values in an F32 cache; see cache_write.glsl.
#include "common.glsl"
#include "f32.glsl"
#include "cache_write.glsl"
