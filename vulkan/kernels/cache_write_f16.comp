#version 460
// Stores keys and values in an F16 cache; see cache_write.glsl.
#include "common.glsl"
#include "f16.glsl"
#include "cache_write.glsl"
