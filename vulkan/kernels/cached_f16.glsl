// F16 rows of a paged cache: kHeadDim elements of 2 bytes, one row after the other.
const uint kUnit = 1;  // elements; a row has whole ones
const uint kUnitBytes = 2;
const bool kRotated = false;

// Eight elements of a row, two a word; those past its end are 0.
struct Chunk {
  uvec4 pairs;
};

layout(buffer_reference, scalar, buffer_reference_align = 16) buffer CachedPairs {
  uvec4 pairs;
};
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer CachedHalfs {
  uint16_t at[];
};

// Rows that are whole chunks begin at 16 bytes and are read so.
Chunk fetch(uint64_t region, uint slot, uint chunk) {
  const uint64_t first = region + uint64_t((slot * kHeadDim + chunk * 8) * 2);
  if (kHeadDim % 8 == 0) return Chunk(CachedPairs(first).pairs);
  CachedHalfs row = CachedHalfs(first);
  uint x[8];
  [[unroll]] for (uint i = 0; i < 8; ++i) x[i] = chunk * 8 + i < kHeadDim ? uint(row.at[i]) : 0;
  return Chunk(uvec4(x[0] | x[1] << 16, x[2] | x[3] << 16, x[4] | x[5] << 16, x[6] | x[7] << 16));
}

vec4 low_of(Chunk chunk) {
  return vec4(unpackHalf2x16(chunk.pairs.x), unpackHalf2x16(chunk.pairs.y));
}
vec4 high_of(Chunk chunk) {
  return vec4(unpackHalf2x16(chunk.pairs.z), unpackHalf2x16(chunk.pairs.w));
}
// Of which elements low_of() and high_of() are: from these on.
uint low_element(uint chunk) { return chunk * 8; }
uint high_element(uint chunk) { return chunk * 8 + 4; }

// A chunk of the head at heads[0], as fetch() will find it. Rounded by the conversion: packing leaves
// it to the driver how.
Chunk rounded(uint chunk) {
  uint pairs[4];
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    const uint at = chunk * 8 + 2 * i;
    pairs[i] = packHalf2x16(vec2(float(float16_t(heads[at])), float(float16_t(heads[at + 1]))));
  }
  return Chunk(uvec4(pairs[0], pairs[1], pairs[2], pairs[3]));
}

void store_chunk(uint64_t region, uint slot, uint chunk, Chunk x) {
  const uint64_t first = region + uint64_t((slot * kHeadDim + chunk * 8) * 2);
  if (kHeadDim % 8 == 0) {
    CachedPairs(first).pairs = x.pairs;
    return;
  }
  CachedHalfs row = CachedHalfs(first);
  [[unroll]] for (uint i = 0; i < 8; ++i) {
    if (chunk * 8 + i < kHeadDim) row.at[i] = uint16_t(x.pairs[i / 2] >> i % 2 * 16);
  }
}
