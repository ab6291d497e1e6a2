// Q4_0 rows of a paged cache, of rotated heads (rotation.glsl): blocks of 32 elements, 16 bytes and
// an f16 scale; byte j holds element j in its low half and element j + 16 in its high half; element
// = scale · (half − 8). A region holds the bytes of all its rows and then all scales, so that bytes
// are read in wide, aligned words; a file's blocks of 18 bytes cannot be.
const uint kUnit = 32;  // elements; a row has whole ones
const uint kUnitBytes = 18;
const bool kRotated = true;

const uint kRowQuantBytes = (kHeadDim + kUnit - 1) / kUnit * 16;
const uint kRowScales = (kHeadDim + kUnit - 1) / kUnit;

// Eight elements of a row: four from each half of a block.
struct Chunk {
  uint quants;
  float scale;
};

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer CachedQuants { uint quants; };
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer CachedScale { float16_t scale; };

uint64_t quants_at(uint64_t region, uint slot, uint chunk) {
  return region + uint64_t(slot * kRowQuantBytes + chunk * 4);
}

uint64_t scale_at(uint64_t region, uint slot, uint chunk) {
  return region + uint64_t(kPageTokens * kRowQuantBytes + (slot * kRowScales + chunk / 4) * 2);
}

Chunk fetch(uint64_t region, uint slot, uint chunk) {
  return Chunk(CachedQuants(quants_at(region, slot, chunk)).quants,
               float(CachedScale(scale_at(region, slot, chunk)).scale));
}

vec4 from_halves(uint bytes) {
  return vec4(uvec4(bytes, bytes >> 8, bytes >> 16, bytes >> 24) & 15u) - 8.0;
}

vec4 low_of(Chunk chunk) { return chunk.scale * from_halves(chunk.quants); }
vec4 high_of(Chunk chunk) { return chunk.scale * from_halves(chunk.quants >> 4); }
// Of which elements low_of() and high_of() are: from these on.
uint low_element(uint chunk) { return chunk / 4 * 32 + chunk % 4 * 4; }
uint high_element(uint chunk) { return low_element(chunk) + 16; }

uint to_halves(uint first, float inverse) {
  uint halves = 0;
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    halves |= uint(clamp(heads[first + i] * inverse + 8.5, 0.0, 15.0)) << 8 * i;
  }
  return halves;
}

// A chunk of the head at heads[0], as fetch() will find it. The number of the greatest magnitude
// becomes the quant −8 exactly.
Chunk rounded(uint chunk) {
  float greatest = 0.0;  // with its sign
  [[dont_unroll]] for (uint i = 0; i < kUnit; ++i) {
    const float x = heads[chunk / 4 * kUnit + i];
    if (abs(x) > abs(greatest)) greatest = x;
  }
  const float scale = greatest / -8.0;
  const float inverse = scale != 0.0 ? 1.0 / scale : 0.0;
  return Chunk(to_halves(low_element(chunk), inverse) | to_halves(high_element(chunk), inverse) << 4,
               float(float16_t(scale)));
}

void store_chunk(uint64_t region, uint slot, uint chunk, Chunk x) {
  CachedQuants(quants_at(region, slot, chunk)).quants = x.quants;
  if (chunk % 4 == 0) CachedScale(scale_at(region, slot, chunk)).scale = float16_t(x.scale);
}
