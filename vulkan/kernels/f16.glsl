// F16 as a GGUF file holds it: 2 bytes an element, and no better aligned than that.
const uint kBlockElements = 1;
const uint kBlockBytes = 2;

layout(buffer_reference, scalar, buffer_reference_align = 2) buffer Halfs { float16_t at[]; };
layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer ConstHalfs {
  float16_t at[];
};

float load1(uint64_t row, uint i) { return float(ConstHalfs(row).at[i]); }

vec4 load4(uint64_t row, uint i) {
  ConstHalfs values = ConstHalfs(row);
  return vec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
}

void store1(uint64_t row, uint i, float value) { Halfs(row).at[i] = float16_t(value); }
