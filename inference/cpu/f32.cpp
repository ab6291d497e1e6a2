#include <cstring>

#include "inference/cpu/formats.h"

namespace kinglet::inference::cpu {

extern const Format kF32;
constinit const Format kF32 = {
    .type = TensorType::kF32,
    .dequantize = [](const std::byte* blocks,
                     std::size_t n,
                     float* out) { std::memcpy(out, blocks, n * sizeof(float)); },
};

}  // namespace kinglet::inference::cpu
