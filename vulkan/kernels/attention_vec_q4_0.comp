#version 460
// Attention of few tokens over a Q4_0 cache; see attention_vec.glsl.
#include "common.glsl"
#include "head_shape.glsl"
const uint kWorkgroupSize = 64;
layout(constant_id = 2) const uint kRows = 1;
layout(constant_id = 3) const uint kKeysTogether = 4;
layout(constant_id = 4) const uint kChunksTogether = 4;
layout(constant_id = 5) const uint kValuesTogether = 16;
layout(constant_id = 6) const uint kStores = 0;
const uint kHeadRows = kRows;
#include "heads.glsl"
#include "cached_q4_0.glsl"
#include "attention_vec.glsl"
