// The small operations, one token at a time. No pointer needs alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::inference::cpu {

/// out = in / sqrt(mean(in^2) + epsilon) * weight, all (n). Zhang & Sennrich, Root Mean Square
/// Layer Normalization (2019).
void rms_norm(const float* in, const float* weight, std::size_t n, float epsilon, float* out);

/// Turns heads (n_heads, head_dim) in place: for each head and pair i < n_pairs,
/// (x[i], x[i + n_pairs]) by the angle of cos_sin[2i], cos_sin[2i + 1]; the rest stays.
void rope_neox(float* heads,
               std::uint32_t n_heads,
               std::uint32_t head_dim,
               std::uint32_t n_pairs,
               const float* cos_sin);

/// out = silu(gate) * up, all (n), silu(x) = x / (1 + exp(-x)). Shazeer, GLU Variants (2020).
void swi_glu(const float* gate, const float* up, std::size_t n, float* out);

/// out += in, both (n).
void add(const float* in, std::size_t n, float* out);

}  // namespace kinglet::inference::cpu
