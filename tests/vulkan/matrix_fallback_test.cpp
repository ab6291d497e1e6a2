// A driver that offers cooperative matrices and cannot compile for them: the software driver,
// dressed up as a GPU.
#include <algorithm>
#include <cstring>
#include <utility>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "vulkan/operations.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

DeviceTable real;
bool is_of_matrices = false;  // the last shader module
int n_refused = 0;

VKAPI_ATTR VkResult VKAPI_CALL with_matrices(VkPhysicalDevice device,
                                             const char* layer,
                                             std::uint32_t* count,
                                             VkExtensionProperties* properties) {
  if (properties == nullptr) {
    const VkResult counted =
        real.vkEnumerateDeviceExtensionProperties(device, layer, count, nullptr);
    ++*count;
    return counted;
  }
  std::uint32_t n_real = *count - 1;
  const VkResult listed =
      real.vkEnumerateDeviceExtensionProperties(device, layer, &n_real, properties);
  VkExtensionProperties& last = properties[n_real];
  last = {};
  std::strncpy(
      last.extensionName, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, sizeof(last.extensionName) - 1);
  *count = n_real + 1;
  return listed;
}

VKAPI_ATTR void VKAPI_CALL features_with_matrices(VkPhysicalDevice device,
                                                  VkPhysicalDeviceFeatures2* features) {
  real.vkGetPhysicalDeviceFeatures2(device, features);
  for (auto* next = static_cast<VkBaseOutStructure*>(features->pNext); next != nullptr;
       next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
      reinterpret_cast<VkPhysicalDeviceCooperativeMatrixFeaturesKHR*>(next)->cooperativeMatrix =
          VK_TRUE;
    }
  }
}

VKAPI_ATTR VkResult VKAPI_CALL one_shape(VkPhysicalDevice /*device*/,
                                         std::uint32_t* count,
                                         VkCooperativeMatrixPropertiesKHR* properties) {
  *count = 1;
  if (properties == nullptr) return VK_SUCCESS;
  properties->MSize = properties->NSize = properties->KSize = 16;
  properties->AType = properties->BType = VK_COMPONENT_TYPE_FLOAT16_KHR;
  properties->CType = properties->ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR;
  properties->scope = VK_SCOPE_SUBGROUP_KHR;
  return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL discrete(VkPhysicalDevice device,
                                    VkPhysicalDeviceProperties2* properties) {
  real.vkGetPhysicalDeviceProperties2(device, properties);
  properties->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
}

// The driver need not hear of what it has not.
VKAPI_ATTR VkResult VKAPI_CALL create_without_matrices(VkPhysicalDevice device,
                                                       const VkDeviceCreateInfo* info,
                                                       const VkAllocationCallbacks* callbacks,
                                                       VkDevice* made) {
  VkDeviceCreateInfo create = *info;
  std::vector<const char*> extensions(
      create.ppEnabledExtensionNames,
      create.ppEnabledExtensionNames + create.enabledExtensionCount);
  std::erase_if(extensions, [](const char* name) {
    return std::strcmp(name, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME) == 0;
  });
  create.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  create.ppEnabledExtensionNames = extensions.data();
  auto* before = const_cast<VkBaseOutStructure*>(  // NOLINT: ours, and gone after this call
      static_cast<const VkBaseOutStructure*>(create.pNext));
  for (auto* next = before->pNext; next != nullptr; next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
      before->pNext = next->pNext;
    } else {
      before = next;
    }
  }
  return real.vkCreateDevice(device, &create, callbacks, made);
}

VKAPI_ATTR VkResult VKAPI_CALL note_module(VkDevice device,
                                           const VkShaderModuleCreateInfo* info,
                                           const VkAllocationCallbacks* callbacks,
                                           VkShaderModule* module) {
  const auto matrices = matrix_kernels();
  is_of_matrices = std::any_of(matrices.begin(), matrices.end(), [&](const Kernel& kernel) {
    return kernel.spirv.data() == info->pCode;
  });
  return real.vkCreateShaderModule(device, info, callbacks, module);
}

VKAPI_ATTR VkResult VKAPI_CALL refuse_matrices(VkDevice device,
                                               VkPipelineCache cache,
                                               std::uint32_t count,
                                               const VkComputePipelineCreateInfo* infos,
                                               const VkAllocationCallbacks* callbacks,
                                               VkPipeline* pipelines) {
  if (is_of_matrices) {
    ++n_refused;
    return VK_ERROR_UNKNOWN;
  }
  return real.vkCreateComputePipelines(device, cache, count, infos, callbacks, pipelines);
}

template <class Function>
void replace(Function& in_table, Function& kept, Function replacement) {
  if (in_table != nullptr && in_table != replacement) kept = std::exchange(in_table, replacement);
}

void dress_up(DeviceTable& table) {
#define KINGLET_REPLACE(name, replacement) replace(table.name, real.name, replacement)
  KINGLET_REPLACE(vkEnumerateDeviceExtensionProperties, with_matrices);
  KINGLET_REPLACE(vkGetPhysicalDeviceFeatures2, features_with_matrices);
  KINGLET_REPLACE(vkGetPhysicalDeviceProperties2, discrete);
  KINGLET_REPLACE(vkCreateDevice, create_without_matrices);
  KINGLET_REPLACE(vkCreateShaderModule, note_module);
  KINGLET_REPLACE(vkCreateComputePipelines, refuse_matrices);
#undef KINGLET_REPLACE
  table.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR = one_shape;
}

}  // namespace

TEST_SUITE("vulkan/matrix_fallback") {
  TEST_CASE("what a driver cannot compile for its matrices is computed without them") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    InstanceOptions options;
    options.table_hook = dress_up;
    const auto instance = Instance::create(std::move(options));
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({"llvmpipe"});
    REQUIRE(info.has_value());
    REQUIRE(info->optional.cooperative_matrix);
    REQUIRE(info->type == DeviceType::kDiscrete);
    const auto device = Device::create(*instance, *info);
    REQUIRE(device.has_value());
    const auto pipelines = Pipelines::create(**device);
    REQUIRE(pipelines.has_value());
    constexpr TileShape kSmall = {32, 32, 4, 4, 32};
    Formats formats = {
        .weights = {WeightType::kQ8_0},
        .caches = {},
        .tiling =
            Tiling{{{kSmall}}, {{kSmall}}, {{{32, 32, 4, 4, 128}}}, {{{32, 32, 16, 16, 32}}}}};
    n_refused = 0;
    const auto operations = Operations::create(**pipelines, formats);
    REQUIRE(operations.has_value());
    CHECK(n_refused > 0);
    CHECK(operations->without_matrices().find("mul_mat_matrix_q8_0") != std::string::npos);
    CHECK(operations->without_matrices().find("VK_ERROR_UNKNOWN") != std::string::npos);
    CHECK(operations->kernels().contains("mul_mat_half_q8_0"));
    CHECK(!operations->kernels().contains("mul_mat_matrix_q8_0"));

    // Who asks for them by name is told.
    formats.product_path = ProductPath::kMatrix;
    const auto forced = Operations::create(**pipelines, formats);
    REQUIRE(!forced.has_value());
    CHECK(forced.error().message.find("mul_mat_matrix_q8_0") != std::string::npos);
  }

  TEST_CASE("Intel's matrix kernels are as narrow as its matrix units, and their sums fit") {
    DeviceInfo intel;
    intel.type = DeviceType::kDiscrete;
    intel.vendor_id = kIntelVendor;
    intel.optional.cooperative_matrix = true;
    intel.optional.subgroup_size_control = true;
    intel.subgroup_size = 32;
    intel.min_subgroup_size = 8;
    intel.max_subgroup_size = 32;
    intel.matrix_subgroup_size = 8;
    intel.matrix = {8, 8, 16};
    intel.max_workgroup_invocations = 1'024;
    intel.max_shared_bytes = 65'536;
    const Tiling tiling = default_tiling(intel);
    REQUIRE(!tiling.matrices.shapes.empty());
    for (const TileShape& shape : tiling.matrices.shapes) {
      CHECK(shape.line_sums * shape.token_sums * sizeof(float) <= 2'048);
      CHECK(shape.matrix_specialization(intel).subgroup_size == 8);
      CHECK(shape.matrix_specialization(intel).constants[0] == shape.workgroup() * 8);
    }
    for (const Knob& knob : tiling_knobs(intel, TileKind::kMatrices))
      CHECK(knob.values.size() > 1);
  }
}
