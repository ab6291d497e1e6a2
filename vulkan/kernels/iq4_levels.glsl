// What IQ4_NL and IQ4_XS share: the numbers that 4-bit quants stand for, -127, -104, -83, -65, -49,
// -35, -22, -10, 1, 13, 25, 38, 53, 69, 89 and 113, as signed bytes. Compilers make of an array a
// chain of 15 selects; three of them choose a word.
int int_level_of(uint quant) {
  const uint negative = quant < 4 ? 0xbfad9881u : 0xf6eaddcfu;
  const uint positive = quant < 12 ? 0x26190d01u : 0x71594535u;
  const int word = int(quant < 8 ? negative : positive);
  return bitfieldExtract(word, int(quant & 3u) * 8, 8);
}

float level_of(uint quant) { return float(int_level_of(quant)); }

// Of the low halves of four bytes.
vec4 levels_of(uint halves) {
  return vec4(level_of(halves & 15u), level_of(halves >> 8 & 15u), level_of(halves >> 16 & 15u),
              level_of(halves >> 24 & 15u));
}

// Likewise, a byte each.
uint level_bytes(uint halves) {
  uint bytes = 0;
  [[unroll]] for (uint j = 0; j < 4; ++j) {
    bytes |= (uint(int_level_of(halves >> j * 8 & 15u)) & 255u) << j * 8;
  }
  return bytes;
}
