// What Q4_K and Q5_K share: a scale and a minimum of 6 bits for each of 8 sub-blocks, in 12 bytes.
// Sub-blocks 0 to 3 have the low 6 bits of bytes 0 to 3 (scales) and 4 to 7 (minima). Of sub-blocks 4
// to 7, bytes 8 to 11 hold four bits of the scale (low) and of the minimum (high); their upper two
// bits are what bytes 0 to 7 have left. x = scale, y = minimum.
vec2 sub_block_scales(uvec3 words, uint s) {
  const uvec3 bytes = words >> (s % 4 * 8);
  const uvec2 plain = bytes.xy & 63u;
  const uvec2 pieces = (uvec2(bytes.z, bytes.z >> 4) & 15u) | (bytes.xy >> 6 & 3u) << 4;
  return vec2(s < 4 ? plain : pieces);
}
