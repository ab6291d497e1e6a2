// The small operations, one token at a time. No pointer needs alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::inference::cpu {

/// out = in / sqrt(mean(in^2) + epsilon) * weight, all (n). Zhang & Sennrich, Root Mean Square
/// Layer Normalization (2019).
void rms_norm(const float* in, const float* weight, std::size_t n, float epsilon, float* out);

/// out = (in - mean(in)) / sqrt(var(in) + epsilon) * weight + bias, all (n); bias may be null. Ba
/// et al., Layer Normalization (2016).
void layer_norm(const float* in,
                const float* weight,
                const float* bias,
                std::size_t n,
                float epsilon,
                float* out);

/// Turns heads (n_heads, head_dim) in place: for each head and pair i < n_pairs,
/// (x[i], x[i + n_pairs]) by the angle of cos_sin[2i], cos_sin[2i + 1]; the rest stays.
void rope_neox(float* heads,
               std::uint32_t n_heads,
               std::uint32_t head_dim,
               std::uint32_t n_pairs,
               const float* cos_sin);

/// The same with pairs (x[2i], x[2i + 1]).
void rope_interleaved(float* heads,
                      std::uint32_t n_heads,
                      std::uint32_t head_dim,
                      std::uint32_t n_pairs,
                      const float* cos_sin);

/// out = silu(gate) * up, all (n), silu(x) = x / (1 + exp(-x)). Shazeer, GLU Variants (2020).
void swi_glu(const float* gate, const float* up, std::size_t n, float* out);

/// out = gelu(gate) * up, all (n).
void ge_glu(const float* gate, const float* up, std::size_t n, float* out);

/// x = gelu(x), (n), by its approximation with tanh: Hendrycks & Gimpel, Gaussian Error Linear
/// Units (2016).
void gelu(float* x, std::size_t n);

/// out += in, both (n).
void add(const float* in, std::size_t n, float* out);

/// x *= factor, (n).
void scale(float* x, std::size_t n, float factor);

/// x = cap * tanh(x / cap), (n).
void soft_cap(float* x, std::size_t n, float cap);

}  // namespace kinglet::inference::cpu
