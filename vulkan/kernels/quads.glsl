// What the block formats' chunks share. A chunk is what one invocation of a matrix-vector product
// takes of a row at a time: kChunkElements elements in quads of four, quads in groups of kGroupQuads whose
// elements are quant · scale + offset with one scale and offset. Each format's file says how it is
// loaded (in few wide loads, before anything is computed) and what its quads are:
//
//   Chunk load_chunk(uint64_t row, uint chunk)            loads alone
//   uint quad_bytes(Chunk, uint chunk, uint i)            quad i's four quants, a signed byte each
//   vec4 quad_values(Chunk, uint chunk, uint i)           the same as floats
//   vec2 group_scale(Chunk, uint chunk, uint g)           scale and offset of the g-th group
//   uvec2 quad_place(uint quad)                           the row's n-th quad → its chunk, its i
//   uint quad_at(uint chunk, uint i)                      and back
//
// A format may define KINGLET_PREPARE_CHUNKS, which all invocations have to call before a barrier,
// and that before the first quad.
//
// The columns of a group lie side by side; those of a chunk need not.
const uint kChunkElements = 32;
const uint kChunkQuads = 8;
const uint kChunkGroups = 2;
const uint kGroupQuads = kChunkQuads / kChunkGroups;

vec4 unsigned_quad(uint bytes) {
  return vec4(bytes & 255u, bytes >> 8 & 255u, bytes >> 16 & 255u, bytes >> 24);
}

vec4 signed_quad(uint bytes) {
  const int word = int(bytes);
  return vec4(bitfieldExtract(word, 0, 8), bitfieldExtract(word, 8, 8),
              bitfieldExtract(word, 16, 8), word >> 24);
}

// Blocks of 2n bytes with odd n begin in the middle of every second word: they are loaded in whole
// words, from the one that they begin in, and shifted into place.
bool is_odd(uint64_t address) { return (uint(address) & 2u) != 0u; }
ConstUints words_at(uint64_t address) { return ConstUints(address & ~3ul); }
// The two bytes that a block begins with, as they lie in its first word.
float first_half(uint word, bool odd) { return unpackHalf2x16(odd ? word >> 16 : word).x; }
// Four bytes from two bytes further: of a block that begins in the first word.
uint shifted(uint word, uint next, bool odd) { return odd ? next : word >> 16 | next << 16; }

// Bits 0 to 3, each as bit 4 of one of four bytes.
uint fifth_bits(uint bits) {
  return (bits & 1u) << 4 | (bits & 2u) << 11 | (bits & 4u) << 18 | (bits & 8u) << 25;
}

// Formats whose chunk is a block of 32 in order.
uvec2 quad_in_block(uint quad) { return uvec2(quad / kChunkQuads, quad % kChunkQuads); }
uint block_quad_at(uint chunk, uint i) { return chunk * kChunkQuads + i; }
// Bits 0 to 3 of four bytes are a quad of the chunk's first group, bits 4 to 7 one of its second.
uint half_bytes(uint word, uint i) { return (i < kGroupQuads ? word : word >> 4) & 0x0f0f0f0fu; }
