// The table of backends, in the order `auto` prefers them.
#include <array>

#include "inference/backend.h"
#include "inference/cpu/backend.h"

namespace kinglet::inference {

std::span<const Backend> all_backends() {
  static constexpr std::array kAll = {
      Backend{.name = "cpu", .devices = cpu::devices, .create = cpu::create_executor},
  };
  return kAll;
}

}  // namespace kinglet::inference
