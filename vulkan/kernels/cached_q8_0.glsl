// Q8_0 rows of a paged cache: blocks of 32 elements, each a signed byte and an f16 scale for all;
// element = scale · byte. A region holds the bytes of all its rows and then all scales, so that
// bytes are read in wide, aligned words; a file's blocks of 34 bytes cannot be.
const uint kUnit = 32;  // elements; a row has whole ones
const uint kUnitBytes = 34;
const bool kRotated = false;

const uint kRowQuantBytes = (kHeadDim + kUnit - 1) / kUnit * 32;
const uint kRowScales = (kHeadDim + kUnit - 1) / kUnit;

// Eight elements of a row.
struct Chunk {
  ivec2 quants;  // bytes
  float scale;
};

layout(buffer_reference, scalar, buffer_reference_align = 8) buffer CachedQuants { ivec2 quants; };
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer CachedScale { float16_t scale; };

uint64_t quants_at(uint64_t region, uint slot, uint chunk) {
  return region + uint64_t(slot * kRowQuantBytes + chunk * 8);
}

uint64_t scale_at(uint64_t region, uint slot, uint chunk) {
  return region + uint64_t(kPageTokens * kRowQuantBytes + (slot * kRowScales + chunk / 4) * 2);
}

Chunk fetch(uint64_t region, uint slot, uint chunk) {
  return Chunk(CachedQuants(quants_at(region, slot, chunk)).quants,
               float(CachedScale(scale_at(region, slot, chunk)).scale));
}

vec4 from_bytes(int bytes) {
  return vec4(bitfieldExtract(bytes, 0, 8), bitfieldExtract(bytes, 8, 8),
              bitfieldExtract(bytes, 16, 8), bitfieldExtract(bytes, 24, 8));
}

vec4 low_of(Chunk chunk) { return chunk.scale * from_bytes(chunk.quants.x); }
vec4 high_of(Chunk chunk) { return chunk.scale * from_bytes(chunk.quants.y); }
// Of which elements low_of() and high_of() are: from these on.
uint low_element(uint chunk) { return chunk * 8; }
uint high_element(uint chunk) { return chunk * 8 + 4; }

int to_bytes(uint first, float inverse) {
  int bytes = 0;
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    bytes = bitfieldInsert(bytes, int(round(heads[first + i] * inverse)), int(8 * i), 8);
  }
  return bytes;
}

// A chunk of the head at heads[0], as fetch() will find it. The scale is the greatest magnitude over
// 127.
Chunk rounded(uint chunk) {
  float greatest = 0.0;
  [[dont_unroll]] for (uint i = 0; i < kUnit; ++i) {
    greatest = max(greatest, abs(heads[chunk / 4 * kUnit + i]));
  }
  const float scale = greatest / 127.0;
  const float inverse = scale != 0.0 ? 1.0 / scale : 0.0;
  return Chunk(ivec2(to_bytes(chunk * 8, inverse), to_bytes(chunk * 8 + 4, inverse)),
               float(float16_t(scale)));
}

void store_chunk(uint64_t region, uint slot, uint chunk, Chunk x) {
  CachedQuants(quants_at(region, slot, chunk)).quants = x.quants;
  if (chunk % 4 == 0) CachedScale(scale_at(region, slot, chunk)).scale = float16_t(x.scale);
}
