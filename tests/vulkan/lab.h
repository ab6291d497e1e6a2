// A place to try kernels in: one software device for the whole test program, tensors in buffers of
// their own, and checks after each run. With KINGLET_VULKAN_VALIDATION set it works under the
// validation layers with GPU-assisted checks, and any message of theirs fails the test.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "vulkan/operations.h"

namespace kinglet::test {

/// Begins a test that needs the lab; skips it on machines that cannot have one.
#define LAB()                                                        \
  ::kinglet::test::Lab* const lab_ = ::kinglet::test::Lab::get();    \
  if (lab_ == nullptr) SKIP("no software Vulkan driver (llvmpipe)"); \
  ::kinglet::test::Lab& lab = *lab_

bool under_validation();

/// Part of the name of the device that kernels are tried on: the software driver everywhere, so
/// that results are the same, or what KINGLET_TEST_DEVICE says, to try them on a real GPU.
std::string test_device();

/// The options for instances of the tests: validation as the environment asks, messages kept.
vulkan::InstanceOptions instance_options(vulkan::TableHook hook = {});
/// Messages of the layers since the last call.
std::vector<std::string> take_messages();

/// How a tensor's bytes come to the host.
enum class TensorReach : std::uint8_t {
  kShared,  // where the host reaches the device's memory; kCopied elsewhere
  kCopied,  // Lab::run() takes them there and back
};

/// A buffer that a kernel reads or writes, in the device's own memory. Around the payload lie
/// guards of NaN bytes: reading them spoils the result, writing them is seen. Under validation
/// there are none, because the layers see an overrun only at the buffer's end.
class Tensor {
 public:
  Tensor(const vulkan::Device& device, std::size_t bytes, TensorReach reach);

  vulkan::DeviceAddress address() const;
  std::size_t size() const { return bytes_; }
  /// As the host has them: before Lab::run() what it takes along, after it what it brought back.
  std::span<std::byte> bytes() const;
  bool guards_are_whole() const;

  /// Whether the device's bytes are not the host's.
  bool is_copied() const { return host_.has_value(); }
  void record_copy_to_device(vulkan::Stream& stream) const;
  void record_copy_to_host(vulkan::Stream& stream) const;

 private:
  std::span<std::byte> mapped() const { return host_ ? host_->mapped() : device_.mapped(); }

  std::size_t bytes_;
  std::size_t guard_;
  vulkan::Buffer device_;
  std::optional<vulkan::Buffer> host_;
};

class Lab {
 public:
  /// Null when this machine has no software driver.
  static Lab* get();

  const vulkan::Device& device() const { return *device_; }
  vulkan::Pipelines& pipelines() { return *pipelines_; }
  const std::shared_ptr<const vulkan::Instance>& instance() const { return instance_; }
  const vulkan::Operations& operations() { return operations(vulkan::ProductPath::kAuto); }
  /// Those that take this path; made when first asked for.
  const vulkan::Operations& operations(vulkan::ProductPath path);
  /// For these formats; kernels are compiled once for the whole program.
  vulkan::Operations operations(const vulkan::Formats& formats);

  /// Filled with NaN bytes.
  std::shared_ptr<Tensor> empty(std::size_t bytes, TensorReach reach = TensorReach::kShared);
  template <class T>
  std::shared_ptr<Tensor> tensor(const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    auto result = empty(bytes.size());
    std::copy(bytes.begin(), bytes.end(), result->bytes().begin());
    return result;
  }
  template <class T>
  std::vector<T> read(const Tensor& tensor) {
    std::vector<T> values(tensor.size() / sizeof(T));
    std::memcpy(values.data(), tensor.bytes().data(), values.size() * sizeof(T));
    return values;
  }

  /// Records, runs, and checks every tensor's guards and the layers' messages.
  void run(const std::function<void(vulkan::Stream&)>& record);
  /// The same of a stream recorded before; its seconds on the device.
  double run(vulkan::Stream& stream);
  /// What run() does before and after, for streams that are run otherwise.
  void copy_to_device();
  void copy_to_host();

 private:
  Lab() = default;

  std::vector<std::shared_ptr<Tensor>> living_tensors();
  void copy(const std::function<void(const Tensor&, vulkan::Stream&)>& record);

  std::shared_ptr<const vulkan::Instance> instance_;
  std::unique_ptr<const vulkan::Device> device_;
  std::unique_ptr<vulkan::Pipelines> pipelines_;
  std::map<vulkan::ProductPath, vulkan::Operations> operations_;
  std::vector<std::weak_ptr<Tensor>> tensors_;
};

/// Normally distributed, the same for the same seed.
std::vector<float> random_floats(std::size_t n, std::uint32_t seed);

/// The largest difference, in units of the expected values' root mean square; NaN counts as
/// infinite.
double worst_error(const std::vector<float>& actual, const std::vector<double>& expected);

inline std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

}  // namespace kinglet::test
