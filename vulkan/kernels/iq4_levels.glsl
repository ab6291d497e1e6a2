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

// Kernels that look up many have them in shared memory: 16 words lie in as many banks, so that
// invocations never wait for one another, and a lookup costs a third of the selects.
shared int level_table[16];

// To be called by all invocations, before a barrier.
void share_levels() {
  for (uint i = gl_LocalInvocationIndex; i < 16; i += gl_WorkGroupSize.x) {
    level_table[i] = int_level_of(i);
  }
}
#define KINGLET_PREPARE_CHUNKS share_levels()

ivec4 shared_levels(uint halves) {
  return ivec4(level_table[halves & 15u], level_table[halves >> 8 & 15u],
               level_table[halves >> 16 & 15u], level_table[halves >> 24]);
}

// Likewise, a byte each.
uint shared_level_bytes(uint halves) {
  const uvec4 bytes = uvec4(shared_levels(halves)) & 255u;
  return bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
}
