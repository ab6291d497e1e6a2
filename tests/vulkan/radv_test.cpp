// Every kernel compiled for real GPUs by Mesa's RADV, which needs no hardware for it: with
// RADV_FORCE_FAMILY set it makes a device that compiles and cannot run. CMakeLists.txt sets the
// chip; the driver is the only one in sight, because others would be asked for devices, too.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "vulkan/pipeline.h"

using namespace kinglet;
using namespace kinglet::vulkan;

namespace {

std::optional<std::string> find_driver_file(const std::string& start) {
  for (const char* folder :
       {"/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().filename().string().rfind(start, 0) == 0) return entry.path().string();
    }
  }
  return std::nullopt;
}

double value_of(const std::vector<PipelineStatistic>& statistics, const std::string& name) {
  for (const PipelineStatistic& statistic : statistics) {
    if (statistic.name == name) return statistic.value;
  }
  FAIL("the driver does not tell " << name);
  return 0;
}

}  // namespace

TEST_SUITE("vulkan/radv") {
  TEST_CASE("no kernel spills a register") {
    const char* const family = std::getenv("RADV_FORCE_FAMILY");
    if (family == nullptr) SKIP("RADV_FORCE_FAMILY is not set; ctest sets it");
    const auto driver = find_driver_file("radeon_icd");
    if (!driver) SKIP("no RADV driver (mesa-vulkan-drivers)");
    ::setenv("VK_ICD_FILENAMES", driver->c_str(), 1);
    ::setenv("VK_DRIVER_FILES", driver->c_str(), 1);
    const auto instance = Instance::create();
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({"radv"});
    REQUIRE(info.has_value());
    REQUIRE(info->optional.executable_statistics);
    const auto device = Device::create(*instance, *info, {.capture_statistics = true});
    REQUIRE(device.has_value());
    const auto pipelines = Pipelines::create(**device);
    REQUIRE(pipelines.has_value());
    std::printf("%s, %s\n%-22s %5s %5s %6s %9s %5s %12s %8s\n",
                info->name.c_str(),
                info->driver_version.c_str(),
                "kernel",
                "VGPR",
                "SGPR",
                "shared",
                "subgroups",
                "code",
                "instructions",
                "latency");
    for (const Kernel& row : all_kernels()) {
      CAPTURE(row.name);
      const auto pipeline = (*pipelines)->get(row);
      REQUIRE(pipeline.has_value());
      const auto figures = statistics(**device, **pipeline);
      REQUIRE(figures.has_value());
      CHECK(value_of(*figures, "Spilled SGPRs") == 0);
      CHECK(value_of(*figures, "Spilled VGPRs") == 0);
      CHECK(value_of(*figures, "Scratch size") == 0);
      std::printf("%-22s %5.0f %5.0f %6.0f %9.0f %5.0f %12.0f %8.0f\n",
                  std::string(row.name).c_str(),
                  value_of(*figures, "VGPRs"),
                  value_of(*figures, "SGPRs"),
                  value_of(*figures, "LDS size"),
                  value_of(*figures, "Subgroups per SIMD"),
                  value_of(*figures, "Code size"),
                  value_of(*figures, "Instructions"),
                  value_of(*figures, "Latency"));
    }
  }
}
