// inference/rotation.h in vectors.
#pragma once

#include <cstdint>

namespace kinglet::inference::cpu {

/// rotate() and unrotate() of a head, in place, bit for bit.
void rotate_head(float* head, std::uint32_t head_dim);
void unrotate_head(float* head, std::uint32_t head_dim);

}  // namespace kinglet::inference::cpu
