#version 460
// Attention of many tokens over a Q4_0 cache, in f16; see attention_tile.glsl.
#include "common.glsl"
#include "head_shape.glsl"
const uint kWorkgroupSize = 128;
const uint kRows = 32;
const uint kHeadRows = 4;
#include "heads.glsl"
#include "cached_q4_0.glsl"
#define KINGLET_HALF
#include "attention_tile.glsl"
