#include "vulkan/probe.h"

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/call_faults.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

TEST_SUITE("vulkan/probe") {
  TEST_CASE("a device's peaks are measured, those that it has") {
    LAB();
    const auto peaks = measure_peaks(lab.device(), lab.pipelines());
    REQUIRE(peaks.has_value());
    // Faster than a file and slower than any memory; what arithmetic a machine of today does.
    for (const double bytes_per_s : {peaks->read_bytes_per_s, peaks->copy_bytes_per_s}) {
      CHECK(bytes_per_s > 1e7);
      CHECK(bytes_per_s < 1e14);
    }
    CHECK(peaks->float_flops > 1e6);
    CHECK(peaks->float_flops < 1e16);
    const OptionalFeatures& has = lab.device().info().optional;
    CHECK((peaks->half_flops > 1e6) == has.float16_arithmetic);
    CHECK((peaks->byte_ops > 1e6) == has.integer_dot_product);
    CHECK((peaks->matrix_flops > 1e6) == has.cooperative_matrix);
    CHECK(peaks->dispatch_seconds > 0);
    CHECK(peaks->dispatch_seconds < 1);
    CHECK(take_messages().empty());
  }

  TEST_CASE("where memory is short, bandwidth is measured on less of it") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    CallFaults::arm(0, VK_SUCCESS);
    InstanceOptions options;
    options.table_hook = CallFaults::hook();
    const auto instance = Instance::create(std::move(options));
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({"llvmpipe"});
    REQUIRE(info.has_value());
    const auto device = Device::create(*instance, *info);
    REQUIRE(device.has_value());
    const auto pipelines = Pipelines::create(**device);
    REQUIRE(pipelines.has_value());
    // The third allocation: the result's and the first large one's come before.
    CallFaults::arm_function("vkAllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY, 3);
    const auto peaks = measure_peaks(**device, **pipelines);
    CHECK(CallFaults::failed_function() == "vkAllocateMemory");
    REQUIRE(peaks.has_value());
    CHECK(peaks->read_bytes_per_s > 0);
    CHECK(CallFaults::n_calls("vkAllocateMemory") == 5);
  }
}
