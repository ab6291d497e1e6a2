// What Vulkan devices this machine has, and which of them Kinglet can use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vulkan/device_info.h"

namespace kinglet::vulkan {

enum class Validation : std::uint8_t { kOff, kOn, kGpuAssisted };

struct InstanceOptions {
  /// The Khronos validation layer; asked for and absent is ErrorCode::kNotFound.
  Validation validation = Validation::kOff;
  /// Receives the warnings and errors of the layers and the loader, on any thread.
  std::function<void(const std::string&)> on_message;
  TableHook table_hook;
};

struct DeviceWish {
  std::string name;  // part of the device's or driver's name, any case; empty: any
  /// A software driver computes correctly and slowly; `auto` must not fall for it. A name that
  /// matches one is a wish for it, too.
  bool software_allowed = false;
};

/// Owns the VkInstance. Thread safety: immutable after create().
class Instance {
 public:
  /// kNotFound when the Vulkan library, every driver or the wanted layer is missing.
  static Result<std::shared_ptr<const Instance>> create(InstanceOptions options = {});
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// All devices, in the driver's order, also those that are not usable(). May be empty.
  std::span<const DeviceInfo> devices() const { return devices_; }
  /// The usable() ones, best first: discrete before integrated before virtual before software, more
  /// memory first.
  std::vector<DeviceInfo> ranked_devices() const;

  /// The first of ranked_devices() that fits the wish. kNotFound when none fits, kUnsupported when
  /// those that fit lack something; the message lists what is there and why it does not do.
  Result<DeviceInfo> find_device(const DeviceWish& wish) const;

  const DeviceTable& table() const { return table_; }
  const TableHook& table_hook() const { return options_.table_hook; }

 private:
  explicit Instance(InstanceOptions options) : options_(std::move(options)) {}
  Result<void> read_devices();

  InstanceOptions options_;
  DeviceTable table_;
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  std::vector<DeviceInfo> devices_;
};

}  // namespace kinglet::vulkan
