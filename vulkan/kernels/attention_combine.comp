#version 460
// Joins the splits of attention; see attention_combine.glsl.
#include "common.glsl"
const bool kRotated = false;
#include "attention_combine.glsl"
