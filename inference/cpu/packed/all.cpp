#include <array>

#include "inference/cpu/packed/format.h"

namespace kinglet::inference::cpu {

extern const PackedFormat kPackedQ4_0;
extern const PackedFormat kPackedQ4_1;
extern const PackedFormat kPackedQ5_0;
extern const PackedFormat kPackedQ5_1;
extern const PackedFormat kPackedQ8_0;
extern const PackedFormat kPackedQ4_K;
extern const PackedFormat kPackedQ5_K;
extern const PackedFormat kPackedQ6_K;
extern const PackedFormat kPackedIQ4_NL;
extern const PackedFormat kPackedIQ4_XS;

const PackedFormat* find_packed_format(TensorType type) {
  static constexpr std::array kAll = {&kPackedQ4_0,
                                      &kPackedQ4_1,
                                      &kPackedQ5_0,
                                      &kPackedQ5_1,
                                      &kPackedQ8_0,
                                      &kPackedQ4_K,
                                      &kPackedQ5_K,
                                      &kPackedQ6_K,
                                      &kPackedIQ4_NL,
                                      &kPackedIQ4_XS};
  for (const PackedFormat* format : kAll) {
    if (format->type == type) return format;
  }
  return nullptr;
}

}  // namespace kinglet::inference::cpu
