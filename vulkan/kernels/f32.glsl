// F32 as a GGUF file holds it: 4 bytes an element.
const uint kBlockElements = 1;
const uint kBlockBytes = 4;

// Element i of the row at this address.
float load1(uint64_t row, uint i) { return ConstFloats(row).at[i]; }

// Elements i to i + 3.
vec4 load4(uint64_t row, uint i) {
  ConstFloats values = ConstFloats(row);
  return vec4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
}

void store1(uint64_t row, uint i, float value) { Floats(row).at[i] = value; }
