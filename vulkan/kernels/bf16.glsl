// BF16 as a GGUF file holds it: the upper half of a float, 2 bytes an element.
const uint kBlockElements = 1;
const uint kBlockBytes = 2;

layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer Uppers {
  uint16_t at[];
};

float load1(uint64_t row, uint i) { return uintBitsToFloat(uint(Uppers(row).at[i]) << 16); }

vec4 load4(uint64_t row, uint i) {
  Uppers values = Uppers(row);
  const uvec4 uppers = uvec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
  return uintBitsToFloat(uppers << 16);
}
