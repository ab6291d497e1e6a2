#version 460
// Heads made ready and stored in a Q4_0 cache; see rope_store.glsl.
#include "common.glsl"
#include "head_shape.glsl"
const uint kWorkgroupSize = 64;
const uint kHeadRows = 1;
#include "heads.glsl"
#include "cached_q4_0.glsl"
#include "rope_store.glsl"
