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

// Chunks of a pair of sub-blocks: 16 elements of each, whose quants share bytes. Scale and minimum of
// the pair's first sub-block are the low bytes of the result, those of its second the next ones.
uvec2 pair_scales(uvec3 words, uint pair) {
  const uvec3 bytes = words >> (pair % 2 * 16);
  const uvec2 plain = bytes.xy & 0x3f3fu;
  const uvec2 pieces = (uvec2(bytes.z, bytes.z >> 4) & 0x0f0fu) | (bytes.xy >> 2 & 0x3030u);
  return pair < 2 ? plain : pieces;
}

// Scale and offset of the pair's g-th sub-block; `halves`: the block's f16 scale and minimum.
vec2 pair_scale(uint halves, uvec3 words, uint pair, uint g) {
  const uvec2 scales = pair_scales(words, pair) >> g * 8 & 255u;
  const vec2 both = unpackHalf2x16(halves);
  return vec2(both.x * float(scales.x), -both.y * float(scales.y));
}

uvec2 quad_in_pair(uint quad) {
  const uint chunk = quad / 64 * 8 + quad % 64 / 16 * 2 + quad % 8 / 4;
  return uvec2(chunk, quad % 16 / 8 * 4 + quad % 4);
}
uint pair_quad_at(uint chunk, uint i) {
  return chunk / 8 * 64 + chunk % 8 / 2 * 16 + i / 4 * 8 + chunk % 2 * 4 + i % 4;
}
