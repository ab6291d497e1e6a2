#version 460
// Attention of many tokens over a Q8_0 cache, by cooperative matrices; see ../attention_tile.glsl.
#include "../common.glsl"
#include "../head_shape.glsl"
const uint kWorkgroupSize = 128;
const uint kRows = 32;
const uint kHeadRows = 4;
#include "../heads.glsl"
#include "../cached_q8_0.glsl"
#define KINGLET_MATRIX
#include "../attention_tile.glsl"
