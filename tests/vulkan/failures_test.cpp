// Every Vulkan call that can fail does so once: an error comes back, nothing crashes or hangs, and
// the next try works.
#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/call_faults.h"
#include "tests/vulkan/lab.h"
#include "vulkan/error.h"
#include "vulkan/uploader.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

InstanceOptions options_with_faults() {
  InstanceOptions options;
  options.table_hook = CallFaults::hook();
  return options;
}

// From nothing to a sum read back: library, instance, device, buffers, uploads, kernel, run,
// download; copies as to a discrete GPU.
Result<float> add_on_a_fresh_device() {
  const auto instance = TRY(Instance::create(options_with_faults()));
  const auto info = TRY(instance->find_device({test_device()}));
  const auto device = TRY(Device::create(instance, info, {.map_device_memory = false}));
  const auto a = TRY(Buffer::create(*device, 4, MemoryUse::kDevice, "a"));
  const auto b = TRY(Buffer::create(*device, 4, MemoryUse::kUpload, "b"));
  const float one = 1;
  TRY(upload(*device, a, 0, std::as_bytes(std::span(&one, 1))));
  TRY(upload(*device, b, 0, std::as_bytes(std::span(&one, 1))));
  const auto c = TRY(Buffer::create(*device, 4'096, MemoryUse::kDevice, "c"));
  const std::vector<float> many(c.size() / sizeof(float), 3);
  auto uploader = TRY(Uploader::create(*device, {2, 1'024}));
  TRY(uploader.add(c, 0, std::as_bytes(std::span(many))));
  TRY(uploader.finish());
  const auto pipelines = TRY(Pipelines::create(*device));
  const Pipeline* const pipeline = TRY(pipelines->get(kernel("add")));
  struct Push {
    DeviceAddress a, b, output;
    std::uint32_t n_elements, none;
  };
  const Push push = {a.address(), c.address() + c.size() - sizeof(float), a.address(), 1, 0};
  auto stream = TRY(Stream::create(*device));
  TRY(stream.begin());
  stream.dispatch(*pipeline, std::as_bytes(std::span(&push, 1)).first(28), {}, 0);
  TRY(stream.end());
  TRY(stream.run());
  float sum = 0;
  TRY(download(*device, a, 0, std::as_writable_bytes(std::span(&sum, 1))));
  return sum;
}

}  // namespace

TEST_SUITE("vulkan/failures") {
  TEST_CASE("each call in turn fails, each kind of failure is told apart, the next try works") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    CallFaults::arm(0, VK_SUCCESS);
    const auto good = add_on_a_fresh_device();
    REQUIRE(good.has_value());
    CHECK(*good == 4);
    const int n_calls = CallFaults::n_calls();
    CHECK(n_calls > 20);
    for (const auto& [result, code] : {std::pair{VK_ERROR_DEVICE_LOST, ErrorCode::kDeviceLost},
                                       {VK_ERROR_OUT_OF_DEVICE_MEMORY, ErrorCode::kOutOfMemory},
                                       {VK_ERROR_OUT_OF_HOST_MEMORY, ErrorCode::kOutOfMemory},
                                       {VK_TIMEOUT, ErrorCode::kTimeout}}) {
      for (int nth = 1; nth <= n_calls; ++nth) {
        CAPTURE(nth);
        CallFaults::arm(nth, result);
        const auto sum = add_on_a_fresh_device();
        CAPTURE(CallFaults::failed_function());
        REQUIRE(!sum.has_value());
        CHECK(sum.error().code == code);
        CHECK(sum.error().message.find(result_name(result)) != std::string::npos);
      }
    }
    CallFaults::arm(0, VK_SUCCESS);
    CHECK(add_on_a_fresh_device().has_value());
  }

  TEST_CASE("an allocation that fails names the tensor, its size and the way out") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    CallFaults::arm(0, VK_SUCCESS);
    const auto instance = Instance::create(options_with_faults());
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({test_device()});
    REQUIRE(info.has_value());
    const auto device = Device::create(*instance, *info);
    REQUIRE(device.has_value());
    CallFaults::arm(2, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    const auto buffer = Buffer::create(**device, 5 << 20, MemoryUse::kDevice, "token_embd.weight");
    REQUIRE(!buffer.has_value());
    CHECK(CallFaults::failed_function() == "vkAllocateMemory");
    CHECK(buffer.error().message ==
          "allocating 5 MiB for token_embd.weight on " + info->name +
              " failed: VK_ERROR_OUT_OF_DEVICE_MEMORY; the GPU has no room: close programs that "
              "use it, take a smaller model or context, or run with the CPU backend");
    const std::uint64_t most = info->max_allocation_bytes;
    const auto too_big =
        Buffer::create(**device, most + 1, MemoryUse::kDevice, "token_embd.weight");
    REQUIRE(!too_big.has_value());
    CHECK(too_big.error().code == ErrorCode::kUnsupported);
    CHECK(too_big.error().message.find("at most " + std::to_string(most >> 20) + " MiB") !=
          std::string::npos);
  }
}
