#include "tests/vulkan/lab.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>

#include <doctest/doctest.h>

namespace kinglet::test {

namespace {

constexpr std::size_t kGuardBytes = 256;
constexpr std::byte kPoison{0xff};

std::mutex messages_mutex;
std::vector<std::string> messages;

template <class T>
T must(Result<T>&& result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::abort();
  }
  return *std::move(result);
}

}  // namespace

std::string test_device() {
  const char* const wish = std::getenv("KINGLET_TEST_DEVICE");
  return wish != nullptr && *wish != '\0' ? wish : "llvmpipe";
}

bool under_validation() {
  return std::getenv("KINGLET_VULKAN_VALIDATION") != nullptr;
}

vulkan::InstanceOptions instance_options(vulkan::TableHook hook) {
  vulkan::InstanceOptions options;
  options.table_hook = std::move(hook);
  if (under_validation()) {
    options.validation = vulkan::Validation::kGpuAssisted;
    options.on_message = [](const std::string& message) {
      const std::lock_guard lock(messages_mutex);
      messages.push_back(message);
    };
  }
  return options;
}

std::vector<std::string> take_messages() {
  const std::lock_guard lock(messages_mutex);
  return std::exchange(messages, {});
}

Tensor::Tensor(const vulkan::Device& device, std::size_t bytes, TensorReach reach)
    : bytes_(bytes),
      guard_(under_validation() ? 0 : kGuardBytes),
      device_(must(vulkan::Buffer::create(
          device, bytes + 2 * guard_, vulkan::MemoryUse::kDevice, "a test's tensor"))) {
  if (device_.mapped().empty() || reach == TensorReach::kCopied) {
    host_ = must(vulkan::Buffer::create(
        device, device_.size(), vulkan::MemoryUse::kReadback, "a test's tensor on the host"));
  }
  std::fill(mapped().begin(), mapped().end(), kPoison);
}

vulkan::DeviceAddress Tensor::address() const {
  return device_.address() + guard_;
}

std::span<std::byte> Tensor::bytes() const {
  return mapped().subspan(guard_, bytes_);
}

void Tensor::record_copy_to_device(vulkan::Stream& stream) const {
  stream.copy(*host_, 0, device_, 0, device_.size());
}

void Tensor::record_copy_to_host(vulkan::Stream& stream) const {
  stream.copy(device_, 0, *host_, 0, device_.size());
}

bool Tensor::guards_are_whole() const {
  const auto all = mapped();
  const auto is_poison = [](std::byte byte) { return byte == kPoison; };
  return std::all_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(guard_), is_poison) &&
         std::all_of(all.end() - static_cast<std::ptrdiff_t>(guard_), all.end(), is_poison);
}

Lab* Lab::get() {
  static const std::unique_ptr<Lab> lab = []() -> std::unique_ptr<Lab> {
    auto instance = vulkan::Instance::create(instance_options());
    if (!instance) {
      std::printf("%s\n", instance.error().message.c_str());
      return nullptr;
    }
    // By name: `software_allowed` would take a real GPU first.
    const auto info = (*instance)->find_device({test_device()});
    if (!info) {
      std::printf("%s\n", info.error().message.c_str());
      return nullptr;
    }
    std::unique_ptr<Lab> made(new Lab);
    made->instance_ = *instance;
    made->device_ = must(vulkan::Device::create(*instance, *info));
    made->pipelines_ = must(vulkan::Pipelines::create(*made->device_));
    return made;
  }();
  return lab.get();
}

const vulkan::Operations& Lab::operations(vulkan::ProductPath path) {
  const auto found = operations_.find(path);
  if (found != operations_.end()) return found->second;
  auto made = must(vulkan::Operations::create(*pipelines_, {.product_path = path}));
  return operations_.emplace(path, std::move(made)).first->second;
}

vulkan::Operations Lab::operations(const vulkan::Formats& formats) {
  return must(vulkan::Operations::create(*pipelines_, formats));
}

std::shared_ptr<Tensor> Lab::empty(std::size_t bytes, TensorReach reach) {
  auto tensor = std::make_shared<Tensor>(*device_, bytes, reach);
  tensors_.push_back(tensor);
  return tensor;
}

void Lab::run(const std::function<void(vulkan::Stream&)>& record) {
  auto stream = must(vulkan::Stream::create(*device_));
  REQUIRE(stream.begin().has_value());
  record(stream);
  REQUIRE(stream.end().has_value());
  run(stream);
}

double Lab::run(vulkan::Stream& stream) {
  copy_to_device();
  const auto seconds = stream.run();
  REQUIRE(seconds.has_value());
  copy_to_host();
  for (const auto& tensor : living_tensors())
    CHECK(tensor->guards_are_whole());
  for (const std::string& message : take_messages())
    FAIL_CHECK(message);
  return *seconds;
}

std::vector<std::shared_ptr<Tensor>> Lab::living_tensors() {
  std::erase_if(tensors_, [](const auto& tensor) { return tensor.expired(); });
  std::vector<std::shared_ptr<Tensor>> living;
  for (const auto& kept : tensors_)
    living.push_back(kept.lock());
  return living;
}

void Lab::copy(const std::function<void(const Tensor&, vulkan::Stream&)>& record) {
  auto tensors = living_tensors();
  std::erase_if(tensors, [](const auto& tensor) { return !tensor->is_copied(); });
  if (tensors.empty()) return;
  auto stream = must(vulkan::Stream::create(*device_));
  REQUIRE(stream.begin().has_value());
  for (const auto& tensor : tensors)
    record(*tensor, stream);
  REQUIRE(stream.end().has_value());
  REQUIRE(stream.run().has_value());
}

void Lab::copy_to_device() {
  copy([](const Tensor& tensor, vulkan::Stream& stream) { tensor.record_copy_to_device(stream); });
}

void Lab::copy_to_host() {
  copy([](const Tensor& tensor, vulkan::Stream& stream) { tensor.record_copy_to_host(stream); });
}

std::vector<float> random_floats(std::size_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values)
    value = normal(generator);
  return values;
}

double worst_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double squares = 0;
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    squares += expected[i] * expected[i];
    worst = std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                   : std::max(worst, difference);
  }
  const double rms = std::sqrt(squares / static_cast<double>(expected.size()));
  return worst / std::max(rms, 1e-30);
}

}  // namespace kinglet::test
