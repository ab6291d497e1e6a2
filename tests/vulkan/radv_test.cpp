// Every kernel compiled for real GPUs by Mesa's RADV, which needs no hardware for it.
#include <cstdio>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/radv.h"
#include "vulkan/pipeline.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

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
    if (const auto why = no_radv()) SKIP(why->c_str());
    const auto device = radv_device({.capture_statistics = true});
    const DeviceInfo& info = device->info();
    REQUIRE(info.optional.executable_statistics);
    const auto pipelines = Pipelines::create(*device);
    REQUIRE(pipelines.has_value());
    std::printf("%s, %s\n%-22s %5s %5s %6s %9s %5s %12s %8s\n",
                info.name.c_str(),
                info.driver_version.c_str(),
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
      const auto figures = statistics(*device, **pipeline);
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
