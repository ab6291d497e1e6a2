#include "inference/cpu/formats.h"

#include <array>

namespace kinglet::inference::cpu {

extern const Format kF32;
extern const Format kF16;
extern const Format kQ4_0;
extern const Format kQ4_1;
extern const Format kQ5_0;
extern const Format kQ5_1;
extern const Format kQ8_0;
extern const Format kQ4_K;
extern const Format kQ5_K;
extern const Format kQ6_K;
extern const Format kIQ4_NL;
extern const Format kIQ4_XS;
extern const Format kBF16;

const Format* find_format(TensorType type) {
  static constexpr std::array kAll = {&kF32,
                                      &kF16,
                                      &kQ4_0,
                                      &kQ4_1,
                                      &kQ5_0,
                                      &kQ5_1,
                                      &kQ8_0,
                                      &kQ4_K,
                                      &kQ5_K,
                                      &kQ6_K,
                                      &kIQ4_NL,
                                      &kIQ4_XS,
                                      &kBF16};
  for (const Format* format : kAll) {
    if (format->type == type) return format;
  }
  return nullptr;
}

}  // namespace kinglet::inference::cpu
