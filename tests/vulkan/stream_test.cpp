#include "vulkan/stream.h"

#include <cstring>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// Queues whose timestamps have other valid bits, and what such timestamps then say.
PFN_vkGetPhysicalDeviceQueueFamilyProperties real_families = nullptr;
std::uint32_t valid_bits = 0;
std::vector<std::uint64_t> timestamps;

VKAPI_ATTR void VKAPI_CALL families_of_valid_bits(VkPhysicalDevice device,
                                                  std::uint32_t* count,
                                                  VkQueueFamilyProperties* families) {
  real_families(device, count, families);
  for (std::uint32_t i = 0; families != nullptr && i < *count; ++i)
    families[i].timestampValidBits = valid_bits;
}

VKAPI_ATTR VkResult VKAPI_CALL given_timestamps(VkDevice /*device*/,
                                                VkQueryPool /*pool*/,
                                                std::uint32_t /*first*/,
                                                std::uint32_t n_queries,
                                                std::size_t n_bytes,
                                                void* data,
                                                VkDeviceSize /*stride*/,
                                                VkQueryResultFlags /*flags*/) {
  REQUIRE(n_queries == timestamps.size());
  REQUIRE(n_bytes == n_queries * sizeof(timestamps[0]));
  std::memcpy(data, timestamps.data(), n_bytes);
  return VK_SUCCESS;
}

/// The software driver with timestamps of so many bits.
std::unique_ptr<const Device> device_of_valid_bits(std::uint32_t n_bits) {
  valid_bits = n_bits;
  auto instance = Instance::create(instance_options([](DeviceTable& table) {
    auto& families = table.vkGetPhysicalDeviceQueueFamilyProperties;
    if (families != nullptr && families != families_of_valid_bits) {
      real_families = std::exchange(families, families_of_valid_bits);
    }
    if (table.vkGetQueryPoolResults != nullptr) table.vkGetQueryPoolResults = given_timestamps;
  }));
  REQUIRE(instance.has_value());
  const auto info = (*instance)->find_device({test_device()});
  REQUIRE(info.has_value());
  auto device = Device::create(*std::move(instance), *info);
  REQUIRE(device.has_value());
  return *std::move(device);
}

}  // namespace

TEST_SUITE("vulkan/stream") {
  TEST_CASE("timestamps that begin again at zero are subtracted as such") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = device_of_valid_bits(36);
    REQUIRE(device->info().timestamp_bits == 36);
    const double tick = device->info().timestamp_period_ns * 1e-9;
    const auto pipelines = Pipelines::create(*device);
    REQUIRE(pipelines.has_value());
    const auto operations = Operations::create(**pipelines, {.weights = {}, .caches = {}});
    REQUIRE(operations.has_value());
    const auto number = Buffer::create(*device, 4, MemoryUse::kDevice, "a number");
    REQUIRE(number.has_value());
    auto stream = Stream::create(*device, Timing::kEach);
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    const DeviceAddress at = number->address();
    operations->add(*stream, {at, at, at, 1});
    operations->add(*stream, {at, at, at, 1});
    REQUIRE(stream->end().has_value());
    // Begin, end, then the end of each dispatch; the upper bits are whatever the driver left there.
    constexpr std::uint64_t kFull = std::uint64_t{1} << 36;
    timestamps = {kFull - 10, (7 * kFull) + 30, 3 * kFull - 4, 0xABC0'0000'0000'0000 + 20};
    const auto seconds = stream->run();
    REQUIRE(seconds.has_value());
    CHECK(*seconds == doctest::Approx(40 * tick));
    REQUIRE(stream->dispatch_seconds().size() == 2);
    CHECK(stream->dispatch_seconds()[0] == doctest::Approx(6 * tick));
    CHECK(stream->dispatch_seconds()[1] == doctest::Approx(24 * tick));
  }

  TEST_CASE("a queue without timestamps is timed on the host's clock") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = device_of_valid_bits(0);
    CHECK(device->info().timestamp_period_ns == 0);
    auto stream = Stream::create(*device, Timing::kEach);
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    REQUIRE(stream->end().has_value());
    timestamps.clear();  // nobody asks for them
    const auto seconds = stream->run();
    REQUIRE(seconds.has_value());
    CHECK(*seconds > 0);
    CHECK(*seconds < 10);
    CHECK(stream->dispatch_seconds().empty());
  }

  TEST_CASE("a stream recorded once runs as often as wanted, on what the buffers then hold") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto sum = lab->tensor(std::vector<float>{0});
    const auto step = lab->tensor(std::vector<float>{1});
    auto stream = Stream::create(lab->device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (int i = 0; i < 3; ++i) {
      if (i > 0) stream->barrier();
      lab->operations().add(*stream, {sum->address(), step->address(), sum->address(), 1});
    }
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->dispatches().size() == 3);
    for (std::uint32_t i = 0; i < 3; ++i) {
      CHECK(stream->dispatches()[i].kernel == &kernel("add"));
      CHECK(stream->dispatches()[i].stage == i);
    }
    CHECK(stream->n_barriers() == 2);
    lab->run(*stream);
    CHECK(lab->read<float>(*sum)[0] == 3);
    const float ten = 10;
    std::memcpy(step->bytes().data(), &ten, sizeof(ten));
    for (int i = 0; i < 5; ++i) {
      const double seconds = lab->run(*stream);
      CHECK(seconds >= 0);
      CHECK(seconds < 10);
    }
    CHECK(lab->read<float>(*sum)[0] == 153);
    // And anew with something else.
    REQUIRE(stream->begin().has_value());
    lab->operations().add(*stream, {step->address(), step->address(), sum->address(), 1});
    REQUIRE(stream->end().has_value());
    lab->run(*stream);
    CHECK(lab->read<float>(*sum)[0] == 20);
    CHECK(take_messages().empty());
  }

  TEST_CASE("tensors that the host does not reach are taken to the device and back") {
    LAB();
    const auto sum = lab.empty(2 * sizeof(float), TensorReach::kCopied);
    const auto step = lab.tensor(std::vector<float>{3, 4});
    REQUIRE(sum->is_copied());
    const float start[] = {10, 20};
    std::memcpy(sum->bytes().data(), start, sizeof(start));
    for (int round = 0; round < 2; ++round) {
      lab.run([&](Stream& stream) {
        lab.operations().add(stream, {sum->address(), step->address(), sum->address(), 2});
      });
    }
    CHECK(lab.read<float>(*sum) == std::vector<float>{16, 28});
  }

  TEST_CASE("each dispatch is timed where that is asked for") {
    LAB();
    constexpr std::uint32_t kMany = 1U << 20;
    const auto many = lab.empty(std::size_t{kMany} * sizeof(float));
    const auto record = [&](Stream& stream) {
      REQUIRE(stream.begin().has_value());
      lab.operations().add(stream, {many->address(), many->address(), many->address(), 1});
      lab.operations().add(stream, {many->address(), many->address(), many->address(), kMany});
      REQUIRE(stream.end().has_value());
    };
    auto whole = Stream::create(lab.device());
    REQUIRE(whole.has_value());
    record(*whole);
    REQUIRE(whole->run().has_value());
    CHECK(whole->dispatch_seconds().empty());

    auto each = Stream::create(lab.device(), Timing::kEach);
    REQUIRE(each.has_value());
    record(*each);
    CHECK(each->n_barriers() == 0);  // those of the measurement do not count
    CHECK(each->dispatch_seconds().empty());
    for (int round = 0; round < 2; ++round) {
      const auto seconds = each->run();
      REQUIRE(seconds.has_value());
      REQUIRE(each->dispatch_seconds().size() == 2);
      CHECK(each->dispatch_seconds()[0] >= 0);
      CHECK(each->dispatch_seconds()[1] > each->dispatch_seconds()[0]);
      CHECK(each->dispatch_seconds()[0] + each->dispatch_seconds()[1] <= *seconds);
    }
    REQUIRE(each->begin().has_value());
    CHECK(each->dispatch_seconds().empty());
    CHECK(take_messages().empty());
  }

  TEST_CASE("more dispatches than have timestamps run all the same") {
    LAB();
    const auto sum = lab.tensor(std::vector<float>{0});
    const auto step = lab.tensor(std::vector<float>{1});
    auto stream = Stream::create(lab.device(), Timing::kEach);
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (std::uint32_t i = 0; i < Stream::kMaxTimed + 3; ++i) {
      stream->barrier();
      lab.operations().add(*stream, {sum->address(), step->address(), sum->address(), 1});
    }
    REQUIRE(stream->end().has_value());
    lab.run(*stream);
    CHECK(stream->dispatch_seconds().size() == Stream::kMaxTimed);
    CHECK(lab.read<float>(*sum)[0] == Stream::kMaxTimed + 3);
  }

  TEST_CASE("a run that takes too long is a timeout, and may be waited for again") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    if (under_validation()) return;  // there a submit returns when the run is over
    const std::uint32_t n = 8U << 20;
    const auto a = lab->empty(std::size_t{n} * sizeof(float));
    auto stream = Stream::create(lab->device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (int i = 0; i < 10; ++i) {
      lab->operations().add(*stream, {a->address(), a->address(), a->address(), n});
      stream->barrier();
    }
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->submit().has_value());
    const auto hasty = stream->wait(std::chrono::nanoseconds(1));
    REQUIRE(!hasty.has_value());
    CHECK(hasty.error().code == ErrorCode::kTimeout);
    CHECK(stream->wait().has_value());
  }

  TEST_CASE("a stream may go while its run is in flight") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto sum = lab->tensor(std::vector<float>(1'000, 1));
    {
      auto stream = Stream::create(lab->device());
      REQUIRE(stream.has_value());
      REQUIRE(stream->begin().has_value());
      lab->operations().add(*stream, {sum->address(), sum->address(), sum->address(), 1'000});
      REQUIRE(stream->end().has_value());
      REQUIRE(stream->submit().has_value());
    }
    CHECK(lab->read<float>(*sum)[999] == 2);
  }
}
