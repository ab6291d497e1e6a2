// What the kernels compute, in float64 and written for reading. Shapes as in vulkan/operations.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace kinglet::test::reference {

using Doubles = std::vector<double>;

inline double from_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// The nearest f16, ties to even; for finite values below 65,520.
inline std::uint16_t to_f16(double value) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(value);
  if (magnitude < std::ldexp(1.0, -14)) {
    return sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  }
  const int exponent = std::ilogb(magnitude);
  const auto fraction = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A fraction of 2048 carries into the exponent by itself.
  return sign | static_cast<std::uint16_t>(((exponent + 14) << 10) + fraction);
}

/// An entry of Paley's Hadamard matrix of order prime + 1: ones along the first row and the
/// diagonal, minus ones down the first column, elsewhere whether row − column is a square.
inline int paley(std::size_t prime, std::size_t row, std::size_t column) {
  if (row == 0 || row == column) return 1;
  if (column == 0) return -1;
  for (std::size_t x = 1; x < prime; ++x) {
    if (x * x % prime == (row + prime - column) % prime) return 1;
  }
  return -1;
}

/// The head that rotation.glsl turns into this one: the transposed matrix, entry by entry.
inline Doubles unrotated(const Doubles& head) {
  const std::size_t n = head.size();
  const auto is_power = [](std::size_t x) { return (x & (x - 1)) == 0; };
  std::size_t outer = 1;  // order of Paley's matrix
  for (const std::size_t order : {std::size_t{12}, std::size_t{20}}) {
    if (n % order == 0 && is_power(n / order)) outer = order;
  }
  std::size_t inner = n / outer;  // order of Sylvester's
  while (n % (inner * outer) != 0 || !is_power(inner))
    --inner;
  const std::size_t part = outer * inner;
  Doubles result(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i / part * part; j < i / part * part + part; ++j) {
      int parity = 0;
      for (std::size_t bits = (j % inner) & (i % inner); bits != 0; bits &= bits - 1)
        parity ^= 1;
      const int sign = outer == 1 ? 1 : paley(outer - 1, j % part / inner, i % part / inner);
      result[i] += head[j] * sign * (parity == 0 ? 1 : -1) / std::sqrt(static_cast<double>(part));
    }
  }
  return result;
}

/// weights (n_rows, n_columns), input (n_tokens, n_columns) → (n_tokens, n_rows)
inline Doubles mul_mat(const Doubles& weights, const Doubles& input, std::size_t n_columns) {
  const std::size_t n_rows = weights.size() / n_columns;
  const std::size_t n_tokens = input.size() / n_columns;
  Doubles output(n_tokens * n_rows);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t r = 0; r < n_rows; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < n_columns; ++c) {
        sum += weights[r * n_columns + c] * input[t * n_columns + c];
      }
      output[t * n_rows + r] = sum;
    }
  }
  return output;
}

inline Doubles rms_norm(const Doubles& input, const Doubles& weight, double epsilon) {
  const std::size_t n_columns = weight.size();
  Doubles output(input.size());
  for (std::size_t row = 0; row < input.size(); row += n_columns) {
    double squares = 0;
    for (std::size_t i = 0; i < n_columns; ++i)
      squares += input[row + i] * input[row + i];
    const double norm = std::sqrt(squares / static_cast<double>(n_columns) + epsilon);
    for (std::size_t i = 0; i < n_columns; ++i)
      output[row + i] = input[row + i] / norm * weight[i];
  }
  return output;
}

/// input (n_rows, n_columns); bias (n_columns) or empty
inline Doubles layer_norm(const Doubles& input,
                          const Doubles& weight,
                          const Doubles& bias,
                          double epsilon) {
  const std::size_t n_columns = weight.size();
  const auto n = static_cast<double>(n_columns);
  Doubles output(input.size());
  for (std::size_t row = 0; row < input.size(); row += n_columns) {
    double mean = 0;
    for (std::size_t i = 0; i < n_columns; ++i)
      mean += input[row + i] / n;
    double variance = 0;
    for (std::size_t i = 0; i < n_columns; ++i)
      variance += (input[row + i] - mean) * (input[row + i] - mean) / n;
    for (std::size_t i = 0; i < n_columns; ++i) {
      output[row + i] = (input[row + i] - mean) / std::sqrt(variance + epsilon) * weight[i] +
                        (bias.empty() ? 0 : bias[i]);
    }
  }
  return output;
}

/// Angle of pair i at a position, for a base of 10,000.
inline double rope_angle(std::size_t position, std::size_t pair, std::size_t n_rotated) {
  const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(n_rotated);
  return static_cast<double>(position) * std::pow(10'000.0, exponent);
}

enum class Pairs { kHalves, kNeighbors };  // (i, i + n_rotated / 2) or (2i, 2i + 1)

/// heads (n_tokens, row_stride) of which the first n_heads · head_dim turn, in place.
inline void rope(Pairs pairs,
                 Doubles& heads,
                 const std::vector<std::uint32_t>& positions,
                 std::size_t n_heads,
                 std::size_t head_dim,
                 std::size_t n_rotated,
                 std::size_t row_stride) {
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t h = 0; h < n_heads; ++h) {
      double* head = heads.data() + t * row_stride + h * head_dim;  // (head_dim)
      for (std::size_t i = 0; i < n_rotated / 2; ++i) {
        const double angle = rope_angle(positions[t], i, n_rotated);
        const std::size_t first = pairs == Pairs::kHalves ? i : 2 * i;
        const std::size_t second = pairs == Pairs::kHalves ? i + n_rotated / 2 : 2 * i + 1;
        const double a = head[first];
        const double b = head[second];
        head[first] = a * std::cos(angle) - b * std::sin(angle);
        head[second] = a * std::sin(angle) + b * std::cos(angle);
      }
    }
  }
}

inline double soft_capped(double x, double cap) {
  return cap * std::tanh(x / cap);
}

struct AttentionShape {
  std::size_t n_heads = 1;
  std::size_t n_kv_heads = 1;
  std::size_t head_dim = 1;
  std::size_t window = 0;  // 0: all
  double scale = 1;
  double soft_cap = 0;  // 0: none
};

/// queries (n_tokens, n_heads, head_dim); keys, values (n_positions, n_kv_heads, head_dim)
/// → (n_tokens, n_heads, head_dim)
inline Doubles attention(const Doubles& queries,
                         const Doubles& keys,
                         const Doubles& values,
                         const std::vector<std::uint32_t>& positions,
                         const AttentionShape& shape) {
  Doubles output(queries.size());
  const std::size_t kv_stride = shape.n_kv_heads * shape.head_dim;
  for (std::size_t t = 0; t < positions.size(); ++t) {
    const std::size_t n_seen = positions[t] + std::size_t{1};
    const std::size_t first = shape.window > 0 && n_seen > shape.window ? n_seen - shape.window : 0;
    for (std::size_t h = 0; h < shape.n_heads; ++h) {
      const std::size_t kv_head = h / (shape.n_heads / shape.n_kv_heads);
      const std::size_t query = (t * shape.n_heads + h) * shape.head_dim;
      Doubles scores;
      for (std::size_t p = first; p < n_seen; ++p) {
        double dot = 0;
        for (std::size_t i = 0; i < shape.head_dim; ++i) {
          dot += queries[query + i] * keys[p * kv_stride + kv_head * shape.head_dim + i];
        }
        dot *= shape.scale;
        scores.push_back(shape.soft_cap > 0 ? soft_capped(dot, shape.soft_cap) : dot);
      }
      const double maximum = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores)
        sum += score = std::exp(score - maximum);
      for (std::size_t p = first; p < n_seen; ++p) {
        const double weight = scores[p - first] / sum;
        for (std::size_t i = 0; i < shape.head_dim; ++i) {
          output[query + i] += weight * values[p * kv_stride + kv_head * shape.head_dim + i];
        }
      }
    }
  }
  return output;
}

/// gate_up (n_tokens, 2 · n_columns) → (n_tokens, n_columns)
inline Doubles swiglu(const Doubles& gate_up, std::size_t n_columns) {
  Doubles output;
  for (std::size_t row = 0; row < gate_up.size(); row += 2 * n_columns) {
    for (std::size_t i = 0; i < n_columns; ++i) {
      const double gate = gate_up[row + i];
      output.push_back(gate / (1 + std::exp(-gate)) * gate_up[row + n_columns + i]);
    }
  }
  return output;
}

/// x · Φ(x), Φ approximated by tanh.
inline double gelu(double x) {
  const double pi = std::acos(-1.0);
  return x / 2 * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
}

/// gate_up (n_tokens, 2 · n_columns) → (n_tokens, n_columns)
inline Doubles geglu(const Doubles& gate_up, std::size_t n_columns) {
  Doubles output;
  for (std::size_t row = 0; row < gate_up.size(); row += 2 * n_columns) {
    for (std::size_t i = 0; i < n_columns; ++i)
      output.push_back(gelu(gate_up[row + i]) * gate_up[row + n_columns + i]);
  }
  return output;
}

}  // namespace kinglet::test::reference
