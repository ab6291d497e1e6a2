// The orthogonal turn of a head's vector that inference/rotation.h describes: a Hadamard matrix of
// order 2^k (Sylvester), 12 · 2^k or 20 · 2^k (Paley) over the square root of its order; other
// lengths in parts of the greatest power of two that divides them.
//
// Works on a shared array that the including file fills and reads, with kWorkgroupSize invocations.
const uint kMaxHeadDim = 256;
const uint kOwned = kMaxHeadDim / kWorkgroupSize;

shared float head_vector[kMaxHeadDim];

bool is_power_of_two(uint n) { return (n & (n - 1)) == 0; }

// Bit i: i is a square modulo 11, modulo 19.
const uint kSquaresModulo11 = 0x23a;
const uint kSquaresModulo19 = 0x30af2;

float paley_sign(uint order, uint row, uint column) {
  if (row == column || row == 0) return 1.0;
  if (column == 0) return -1.0;
  const uint squares = order == 12 ? kSquaresModulo11 : kSquaresModulo19;
  return (squares >> ((row + order - 1 - column) % (order - 1)) & 1) != 0 ? 1.0 : -1.0;
}

// Every invocation must call; what was written to head_vector before is seen, what it becomes is
// seen after. Loops take at most 100 rounds.
void turn_head(uint length, bool back) {
  uint paley = 1;
  if (!is_power_of_two(length)) {
    if (length % 12 == 0 && is_power_of_two(length / 12)) paley = 12;
    if (length % 20 == 0 && is_power_of_two(length / 20)) paley = 20;
  }
  const uint sylvester = paley == 1 ? length & (~length + 1) : length / paley;
  const uint lane = gl_LocalInvocationID.x;
  for (uint width = 1; width < sylvester; width *= 2) {
    barrier();
    for (uint pair = lane; pair < length / 2; pair += kWorkgroupSize) {
      const uint i = pair / width * 2 * width + pair % width;
      const float a = head_vector[i];
      const float b = head_vector[i + width];
      head_vector[i] = a + b;
      head_vector[i + width] = a - b;
    }
  }
  barrier();
  const float scale = inversesqrt(float(paley * sylvester));
  float sums[kOwned];
  [[unroll]] for (uint o = 0; o < kOwned; ++o) {
    const uint i = lane + o * kWorkgroupSize;
    sums[o] = 0.0;
    if (i >= length) continue;
    if (paley == 1) {
      sums[o] = head_vector[i];
    } else {
      [[dont_unroll]] for (uint j = 0; j < paley; ++j) {
        const uint row = i / sylvester;
        const float sign = back ? paley_sign(paley, j, row) : paley_sign(paley, row, j);
        sums[o] += sign * head_vector[i % sylvester + j * sylvester];
      }
    }
  }
  barrier();
  [[unroll]] for (uint o = 0; o < kOwned; ++o) {
    const uint i = lane + o * kWorkgroupSize;
    if (i < length) head_vector[i] = sums[o] * scale;
  }
  barrier();
}

void rotate_head(uint length) { turn_head(length, false); }
void unrotate_head(uint length) { turn_head(length, true); }
