#include <array>

#include "inference/cpu/packed/format.h"

namespace kinglet::inference::cpu {

extern const PackedFormat kPackedQ4_0;
extern const PackedFormat kPackedQ8_0;
extern const PackedFormat kPackedQ4_K;
extern const PackedFormat kPackedQ6_K;

const PackedFormat* find_packed_format(TensorType type) {
  static constexpr std::array kAll = {&kPackedQ4_0, &kPackedQ8_0, &kPackedQ4_K, &kPackedQ6_K};
  for (const PackedFormat* format : kAll) {
    if (format->type == type) return format;
  }
  return nullptr;
}

}  // namespace kinglet::inference::cpu
