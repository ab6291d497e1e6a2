// The orthogonal turn of a head's vector that inference/rotation.h describes: a Hadamard matrix of
// order 2^k (Sylvester), 12 · 2^k or 20 · 2^k (Paley) over the square root of its order; other
// lengths in parts of the greatest power of two that divides them. Works on heads.glsl.
const uint kMaxHeadDim = 256;
const uint kOwned = kMaxHeadDim / kWorkgroupSize;

bool is_power_of_two(uint n) { return (n & (n - 1)) == 0; }

// Orders of the two factors. Functions of a constant: what a driver compiles holds their values.
uint paley_order() {
  if (is_power_of_two(kHeadDim)) return 1;
  if (kHeadDim % 12 == 0 && is_power_of_two(kHeadDim / 12)) return 12;
  if (kHeadDim % 20 == 0 && is_power_of_two(kHeadDim / 20)) return 20;
  return 1;
}

uint sylvester_order() {
  return paley_order() == 1 ? kHeadDim & (~kHeadDim + 1) : kHeadDim / paley_order();
}

// Bit i: i is a square modulo 11, modulo 19.
const uint kSquaresModulo11 = 0x23a;
const uint kSquaresModulo19 = 0x30af2;

float paley_sign(uint order, uint row, uint column) {
  if (row == column || row == 0) return 1.0;
  if (column == 0) return -1.0;
  const uint squares = order == 12 ? kSquaresModulo11 : kSquaresModulo19;
  return (squares >> ((row + order - 1 - column) % (order - 1)) & 1) != 0 ? 1.0 : -1.0;
}

// Turns heads 0 to n − 1. Every invocation must call; what was written to them before is seen, what
// they become is seen after.
void turn_heads(uint n, bool back) {
  const uint lane = gl_LocalInvocationID.x;
  const uint n_pairs = kHeadDim / 2;
  const uint paley = paley_order();
  const uint sylvester = sylvester_order();
  for (uint width = 1; width < sylvester; width *= 2) {
    barrier();
    [[dont_unroll]] for (uint pair = lane; pair < n * n_pairs; pair += kWorkgroupSize) {
      const uint p = pair % n_pairs;
      const uint i = pair / n_pairs * kHeadStride + p / width * 2 * width + p % width;
      const float a = heads[i];
      const float b = heads[i + width];
      heads[i] = a + b;
      heads[i + width] = a - b;
    }
  }
  barrier();
  const float scale = inversesqrt(float(paley * sylvester));
  [[dont_unroll]] for (uint head = 0; head < n; ++head) {
    const uint first = head * kHeadStride;
    float sums[kOwned];
    [[unroll]] for (uint o = 0; o < kOwned; ++o) {
      const uint i = lane + o * kWorkgroupSize;
      sums[o] = 0.0;
      if (i >= kHeadDim) continue;
      if (paley == 1) {
        sums[o] = heads[first + i];
      } else {
        [[dont_unroll]] for (uint j = 0; j < paley; ++j) {
          const uint row = i / sylvester;
          const float sign = back ? paley_sign(paley, j, row) : paley_sign(paley, row, j);
          sums[o] += sign * heads[first + i % sylvester + j * sylvester];
        }
      }
    }
    barrier();
    [[unroll]] for (uint o = 0; o < kOwned; ++o) {
      const uint i = lane + o * kWorkgroupSize;
      if (i < kHeadDim) heads[first + i] = sums[o] * scale;
    }
  }
  barrier();
}

void rotate_heads(uint n) { turn_heads(n, false); }
void unrotate_heads(uint n) { turn_heads(n, true); }
