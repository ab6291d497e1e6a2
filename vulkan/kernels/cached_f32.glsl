// F32 rows of a paged cache: kHeadDim elements of 4 bytes, one row after the other.
const uint kUnit = 1;  // elements; a row has whole ones
const uint kUnitBytes = 4;
const bool kRotated = false;

// Eight elements of a row; those past its end are 0.
struct Chunk {
  vec4 low;
  vec4 high;
};

layout(buffer_reference, scalar, buffer_reference_align = 16) buffer CachedQuads {
  vec4 low;
  vec4 high;
};

// Rows that are whole chunks begin at 16 bytes and are read so.
Chunk fetch(uint64_t region, uint slot, uint chunk) {
  const uint64_t first = region + uint64_t((slot * kHeadDim + chunk * 8) * 4);
  if (kHeadDim % 8 == 0) {
    CachedQuads quads = CachedQuads(first);
    return Chunk(quads.low, quads.high);
  }
  ConstFloats row = ConstFloats(first);
  float x[8];
  [[unroll]] for (uint i = 0; i < 8; ++i) x[i] = chunk * 8 + i < kHeadDim ? row.at[i] : 0.0;
  return Chunk(vec4(x[0], x[1], x[2], x[3]), vec4(x[4], x[5], x[6], x[7]));
}

vec4 low_of(Chunk chunk) { return chunk.low; }
vec4 high_of(Chunk chunk) { return chunk.high; }
// Of which elements low_of() and high_of() are: from these on.
uint low_element(uint chunk) { return chunk * 8; }
uint high_element(uint chunk) { return chunk * 8 + 4; }

// A chunk of the head at heads[0], as fetch() will find it.
Chunk rounded(uint chunk) {
  const uint i = chunk * 8;
  return Chunk(vec4(heads[i], heads[i + 1], heads[i + 2], heads[i + 3]),
               vec4(heads[i + 4], heads[i + 5], heads[i + 6], heads[i + 7]));
}

void store_chunk(uint64_t region, uint slot, uint chunk, Chunk x) {
  const uint64_t first = region + uint64_t((slot * kHeadDim + chunk * 8) * 4);
  if (kHeadDim % 8 == 0) {
    CachedQuads quads = CachedQuads(first);
    quads.low = x.low;
    quads.high = x.high;
    return;
  }
  Floats row = Floats(first);
  [[unroll]] for (uint i = 0; i < 8; ++i) {
    if (chunk * 8 + i < kHeadDim) row.at[i] = i < 4 ? x.low[i] : x.high[i - 4];
  }
}
