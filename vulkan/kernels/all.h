// The table of kernels: one .comp file, one row in all.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kinglet::vulkan {

struct Kernel {
  std::string_view name;  // the file's, without .comp
  std::span<const std::uint32_t> spirv;
};

std::span<const Kernel> all_kernels();
/// Those that only devices with cooperative matrices compile; beside all_kernels(), in matrix/.
std::span<const Kernel> matrix_kernels();
/// A kernel by name; the name must be in one of the tables.
const Kernel& kernel(std::string_view name);

}  // namespace kinglet::vulkan
