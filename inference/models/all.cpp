// The table of architectures: one row and one file each.
#include <array>

#include "inference/models/architecture.h"

namespace kinglet::inference {

extern const Architecture kGemma;
extern const Architecture kGemma2;
extern const Architecture kGranite;
extern const Architecture kLlama;
extern const Architecture kPhi3;
extern const Architecture kQwen2;
extern const Architecture kQwen3;
extern const Architecture kStarcoder2;

std::span<const Architecture* const> all_architectures() {
  static constexpr std::array kAll = {
      &kGemma, &kGemma2, &kGranite, &kLlama, &kPhi3, &kQwen2, &kQwen3, &kStarcoder2};
  return kAll;
}

}  // namespace kinglet::inference
