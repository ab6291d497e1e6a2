// The table of backends, in the order `auto` prefers them.
#include <array>

#include "inference/backend.h"
#include "inference/cpu/backend.h"
#include "inference/gpu/backend.h"

namespace kinglet::inference {

std::span<const Backend> all_backends() {
  static constexpr std::array kAll = {
      Backend{.name = "vulkan",
              .devices = gpu::devices,
              .create = gpu::create_executor,
              .limits = gpu::measure_limits},
      Backend{.name = "cpu",
              .devices = cpu::devices,
              .create = cpu::create_executor,
              .limits = cpu::measure_limits},
  };
  return kAll;
}

}  // namespace kinglet::inference
