// Q6_K as a GGUF file holds it: blocks of 256 elements in 16 groups of 16, a signed byte each as
// scale, and an f16 scale of all; element = scale · group's scale · (quant − 32). Each half of a block
// is four rows of 32: element j of row r has four bits in byte j + 32 · (r mod 2) of the half's 64,
// the low half of it for rows 0 and 1, and two upper ones at bit 2r of byte j of the half's 32.
// 210 bytes a block, so blocks are aligned to 2 and bytes are read in pairs.
const uint kBlockElements = 256;
const uint kBlockBytes = 210;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer BlockQ6_K {
  uint16_t low[64];
  uint16_t upper[32];
  uint16_t scales[8];
  float16_t scale;
};

// Elements i to i + 3 of the row at this address; i is a multiple of 4.
vec4 load4(uint64_t row, uint i) {
  BlockQ6_K block = BlockQ6_K(row + uint64_t(i / 256) * 210ul);
  const uint side = i % 256 / 128;
  const uint r = i % 128 / 32;
  const uint at = side * 16 + i % 32 / 2;
  const uint low_at = at + (side + r % 2) * 16;
  const uint low = uint(block.low[low_at]) | uint(block.low[low_at + 1]) << 16;
  const uint upper = uint(block.upper[at]) | uint(block.upper[at + 1]) << 16;
  const uint bytes = (low >> r / 2 * 4 & 0x0f0f0f0fu) | (upper >> r * 2 & 0x03030303u) << 4;
  const uvec4 quants = uvec4(bytes, bytes >> 8, bytes >> 16, bytes >> 24) & 63u;
  const int two_scales = int(uint(block.scales[i % 256 / 32]));
  const int group_scale = bitfieldExtract(two_scales, int(i % 32 / 16 * 8), 8);
  return float(block.scale) * float(group_scale) * (vec4(quants) - 32.0);
}

float load1(uint64_t row, uint i) { return load4(row, i & ~3u)[i & 3]; }
