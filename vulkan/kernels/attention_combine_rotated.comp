#version 460
// Joins the splits of attention over rotated values and turns the result back; see
// attention_combine.glsl.
#include "common.glsl"
const bool kRotated = true;
#include "attention_combine.glsl"
