// What one Vulkan device is, has and can do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vulkan/device_table.h"

namespace kinglet::vulkan {

/// What Kinglet speaks, whatever the driver offers beyond.
inline constexpr std::uint32_t kApiVersion = VK_API_VERSION_1_2;

/// DeviceInfo::vendor_id, which is PCI's.
inline constexpr std::uint32_t kIntelVendor = 0x8086;
inline constexpr std::uint32_t kAmdVendor = 0x1002;

enum class DeviceType : std::uint8_t { kDiscrete, kIntegrated, kVirtual, kSoftware, kOther };
/// "discrete GPU", "integrated GPU", "virtual GPU", "software driver", "other device".
std::string_view type_name(DeviceType type);

struct MemoryHeap {
  std::uint64_t bytes = 0;
  bool device_local = false;
};

/// Features that make things faster or visible, not possible: probed, enabled where present.
struct OptionalFeatures {
  bool float16_arithmetic = false;
  bool int8_arithmetic = false;
  bool int16_arithmetic = false;
  bool integer_dot_product = false;
  bool cooperative_matrix_nv = false;
  bool cooperative_matrix = false;  // the KHR extension's, of f16 with sums in f32
  bool subgroup_size_control = false;
  bool memory_budget = false;
  bool executable_statistics = false;   // registers and spills of compiled pipelines
  bool creation_cache_control = false;  // tells whether a pipeline has to be compiled
};

/// (m, k) · (k, n) → (m, n)
struct MatrixShape {
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
};

struct DeviceInfo {
  std::string name;            // "AMD Radeon RX 6800 (RADV NAVI21)"
  std::string driver_name;     // "radv"
  std::string driver_version;  // the driver's own words: "Mesa 22.3.6"
  DeviceType type = DeviceType::kOther;
  std::uint32_t api_version = 0;  // VK_MAKE_API_VERSION
  std::uint32_t vendor_id = 0;
  std::uint32_t device_id = 0;
  std::uint32_t driver_number = 0;
  std::uint8_t pipeline_cache_uuid[VK_UUID_SIZE] = {};
  std::vector<MemoryHeap> heaps;
  std::uint64_t max_allocation_bytes = 0;  // of one buffer
  std::uint32_t max_group_count = 0;       // workgroups along one axis
  std::uint32_t max_workgroup_invocations = 0;
  std::uint32_t max_shared_bytes = 0;   // of one workgroup
  std::uint32_t subgroup_size = 0;      // what a pipeline gets that asks for none
  std::uint32_t min_subgroup_size = 0;  // what it may ask for, with optional.subgroup_size_control:
  std::uint32_t max_subgroup_size = 0;  // powers of two in between; else both are subgroup_size
  std::uint32_t queue_family = 0;       // the one that computes
  // One that can only copy, beside what computes and draws; queue_family where there is none.
  std::uint32_t transfer_family = 0;
  double timestamp_period_ns = 0;    // of the queue that computes; 0: it has no timestamps
  std::uint32_t timestamp_bits = 0;  // of a timestamp; the others mean nothing
  OptionalFeatures optional;
  MatrixShape matrix;  // of one cooperative matrix, with optional.cooperative_matrix
  std::uint32_t matrix_subgroup_size = 0;  // of pipelines that multiply such matrices
  std::string missing;  // what Kinglet needs and this device lacks; empty: usable
  VkPhysicalDevice handle = VK_NULL_HANDLE;

  bool usable() const { return missing.empty(); }
  std::uint64_t device_local_bytes() const;
};

/// Asks the driver. A device that lacks something is no error: info.missing says what.
Result<DeviceInfo> read_device(const DeviceTable& table, VkPhysicalDevice handle);

}  // namespace kinglet::vulkan
