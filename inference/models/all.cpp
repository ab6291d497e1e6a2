// The table of architectures: one row and one file each.
#include <array>

#include "inference/models/architecture.h"

namespace kinglet::inference {

extern const Architecture kPhi3;

std::span<const Architecture* const> all_architectures() {
  static constexpr std::array kAll = {&kPhi3};
  return kAll;
}

}  // namespace kinglet::inference
