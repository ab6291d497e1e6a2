#include "vulkan/buffer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>

#include "vulkan/error.h"
#include "vulkan/stream.h"

namespace kinglet::vulkan {

namespace {

constexpr std::uint64_t kStagingBytes = std::uint64_t{32} << 20;

struct MemoryWish {
  VkMemoryPropertyFlags wanted;
  VkMemoryPropertyFlags avoided;
};

// Best first. Host memory is always coherent: no flush to forget.
std::initializer_list<MemoryWish> memory_wishes(MemoryUse use, DeviceType type) {
  constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  constexpr VkMemoryPropertyFlags kHost =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  static const std::initializer_list<MemoryWish> kShared = {{kLocal | kHost, 0}, {kLocal, 0}};
  // A discrete GPU's window into its memory may be 256 MiB: not for weights.
  static const std::initializer_list<MemoryWish> kOwn = {
      {kLocal, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT}, {kLocal, 0}};
  static const std::initializer_list<MemoryWish> kUpload = {{kHost, kLocal}, {kHost, 0}};
  static const std::initializer_list<MemoryWish> kReadback = {{kHost | kCached, 0}, {kHost, 0}};
  switch (use) {
    case MemoryUse::kDevice:
      return type == DeviceType::kIntegrated || type == DeviceType::kSoftware ? kShared : kOwn;
    case MemoryUse::kUpload:
      return kUpload;
    case MemoryUse::kReadback:
      break;
  }
  return kReadback;
}

std::optional<std::uint32_t> find_memory_type(const Device& device,
                                              std::uint32_t allowed,
                                              MemoryUse use) {
  const VkPhysicalDeviceMemoryProperties& memory = device.memory();
  for (const MemoryWish& wish : memory_wishes(use, device.info().type)) {
    for (std::uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
      const VkMemoryPropertyFlags flags = memory.memoryTypes[i].propertyFlags;
      if ((allowed & (1U << i)) != 0 && (flags & wish.wanted) == wish.wanted &&
          (flags & wish.avoided) == 0) {
        return i;
      }
    }
  }
  return std::nullopt;
}

std::string amount(std::uint64_t bytes) {
  if (bytes < (1U << 20)) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

Result<Buffer> Buffer::create(const Device& device,
                              std::uint64_t bytes,
                              MemoryUse use,
                              std::string_view what) {
  assert(bytes > 0);
  const DeviceTable& table = device.table();
  const std::string doing =
      "allocating " + amount(bytes) + " for " + std::string(what) + " on " + device.info().name;
  if (bytes > device.info().max_allocation_bytes) {
    return fail(ErrorCode::kUnsupported,
                doing + " failed: one buffer holds at most " +
                    amount(device.info().max_allocation_bytes) +
                    "; take a smaller model or context, or run with the CPU backend");
  }
  Buffer result;
  result.size_ = bytes;

  VkBufferCreateInfo create = {};
  create.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  // Kernels read whole words where a matrix ends in the middle of one.
  create.size = (bytes + 3) / 4 * 4;
  create.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
  // Shared by the queues without handing over: for buffers, unlike images, that costs nothing.
  const std::array<std::uint32_t, 2> families = {device.info().queue_family,
                                                 device.info().transfer_family};
  create.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  if (families[0] != families[1]) {
    create.sharingMode = VK_SHARING_MODE_CONCURRENT;
    create.queueFamilyIndexCount = families.size();
    create.pQueueFamilyIndices = families.data();
  }
  VkBuffer buffer = VK_NULL_HANDLE;
  TRY_VK(table.vkCreateBuffer(device.handle(), &create, nullptr, &buffer), doing);
  result.buffer_ = Unique<VkBuffer>(table, device.handle(), buffer);

  VkMemoryRequirements requirements = {};
  table.vkGetBufferMemoryRequirements(device.handle(), buffer, &requirements);
  const auto type = find_memory_type(device, requirements.memoryTypeBits, use);
  if (!type) {
    return fail(ErrorCode::kUnsupported,
                doing +
                    " failed: the device has no memory of the needed kind; update its driver, "
                    "or run with the CPU backend");
  }
  VkMemoryAllocateFlagsInfo flags = {};
  flags.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO;
  flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
  VkMemoryAllocateInfo allocate = {};
  allocate.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  allocate.pNext = &flags;
  allocate.allocationSize = requirements.size;
  allocate.memoryTypeIndex = *type;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  TRY_VK(table.vkAllocateMemory(device.handle(), &allocate, nullptr, &memory), doing);
  result.memory_ = Unique<VkDeviceMemory>(table, device.handle(), memory);
  TRY_VK(table.vkBindBufferMemory(device.handle(), buffer, memory, 0), doing);

  constexpr VkMemoryPropertyFlags kHost =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const bool may_map = use != MemoryUse::kDevice || device.options().map_device_memory;
  if (may_map && (device.memory().memoryTypes[*type].propertyFlags & kHost) == kHost) {
    void* mapped = nullptr;
    TRY_VK(table.vkMapMemory(device.handle(), memory, 0, VK_WHOLE_SIZE, 0, &mapped), doing);
    result.mapped_ = {static_cast<std::byte*>(mapped), static_cast<std::size_t>(bytes)};
  }
  VkBufferDeviceAddressInfo address = {};
  address.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO;
  address.buffer = buffer;
  result.address_ = table.vkGetBufferDeviceAddress(device.handle(), &address);
  return result;
}

Result<void> upload(const Device& device,
                    const Buffer& buffer,
                    std::uint64_t offset,
                    std::span<const std::byte> bytes) {
  assert(offset <= buffer.size() && bytes.size() <= buffer.size() - offset);
  if (bytes.empty()) return {};
  if (!buffer.mapped().empty()) {
    std::memcpy(buffer.mapped().data() + offset, bytes.data(), bytes.size());
    return {};
  }
  const auto staging = TRY(Buffer::create(
      device, std::min<std::uint64_t>(bytes.size(), kStagingBytes), MemoryUse::kUpload, "staging"));
  auto stream = TRY(Stream::create(device));
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), staging.size()));
    std::memcpy(staging.mapped().data(), piece.data(), piece.size());
    TRY(stream.begin());
    stream.copy(staging, 0, buffer, offset, piece.size());
    TRY(stream.end());
    TRY(stream.run());
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<void> download(const Device& device,
                      const Buffer& buffer,
                      std::uint64_t offset,
                      std::span<std::byte> bytes) {
  assert(offset <= buffer.size() && bytes.size() <= buffer.size() - offset);
  if (bytes.empty()) return {};
  if (!buffer.mapped().empty()) {
    std::memcpy(bytes.data(), buffer.mapped().data() + offset, bytes.size());
    return {};
  }
  const auto staging = TRY(Buffer::create(device,
                                          std::min<std::uint64_t>(bytes.size(), kStagingBytes),
                                          MemoryUse::kReadback,
                                          "staging"));
  auto stream = TRY(Stream::create(device));
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), staging.size()));
    TRY(stream.begin());
    stream.copy(buffer, offset, staging, 0, piece.size());
    TRY(stream.end());
    TRY(stream.run());
    std::memcpy(piece.data(), staging.mapped().data(), piece.size());
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

}  // namespace kinglet::vulkan
