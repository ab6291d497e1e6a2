// Functions of one element, written so that nothing overflows and nothing cancels.

// 1 / (1 + e^−x), by e^x of whichever sign cannot overflow.
float sigmoid(float x) {
  const float small = exp(-abs(x));
  return (x >= 0.0 ? 1.0 : small) / (1.0 + small);
}

float silu(float x) { return x * sigmoid(x); }

// GELU by its tanh approximation (Hendrycks and Gimpel 2016):
// x/2 · (1 + tanh(u)) with u = sqrt(2/π) · (x + 0.044715·x³). (1 + tanh(u)) / 2 is sigmoid(2u).
float gelu(float x) { return x * sigmoid(1.5957691216057308 * x * (1.0 + 0.044715 * x * x)); }

// cap · tanh(x / cap). Vulkan leaves tanh's error near 0 open: there it is a short odd series (below
// 1/4 its next term is under 1e-8 of the result), elsewhere sigmoid again.
float soft_capped(float x, float cap) {
  const float y = x / cap;
  if (abs(y) < 0.25) {
    const float s = y * y;
    return x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
  }
  return cap * (2.0 * sigmoid(2.0 * y) - 1.0);
}
