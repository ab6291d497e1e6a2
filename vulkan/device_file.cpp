#include "vulkan/device_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/base/unique_fd.h"
#include "vulkan/kernels/all.h"

namespace kinglet::vulkan {

namespace {

// By DeviceFile.
constexpr std::array<std::array<char, 8>, 2> kMagics = {{
    {'k', 'i', 'n', 'g', 'p', 'i', 'p', 'e'},
    {'k', 'i', 'n', 'g', 't', 'u', 'n', 'e'},
}};
constexpr std::uint32_t kVersion = 1;
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{256} << 20;

struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t vendor_id;
  std::uint32_t device_id;
  std::uint32_t driver_version;
  std::array<std::uint8_t, VK_UUID_SIZE> uuid;
  std::uint64_t kernels_hash;
  std::uint64_t payload_bytes;
  std::uint64_t hash;
};
static_assert(sizeof(Header) == 64 && std::is_trivially_copyable_v<Header>);

std::uint64_t kernels_hash() {
  std::uint64_t hash = 0;
  for (const auto kernels : {all_kernels(), matrix_kernels()}) {
    for (const Kernel& kernel : kernels)
      hash = XXH3_64bits_withSeed(kernel.spirv.data(), kernel.spirv.size_bytes(), hash);
  }
  return hash;
}

Header make_header(DeviceFile kind, const DeviceInfo& device, std::span<const std::byte> payload) {
  Header header = {};
  header.magic = kMagics.at(static_cast<std::size_t>(kind));
  header.version = kVersion;
  header.vendor_id = device.vendor_id;
  header.device_id = device.device_id;
  header.driver_version = device.driver_number;
  std::memcpy(header.uuid.data(), device.pipeline_cache_uuid, header.uuid.size());
  header.kernels_hash = kernels_hash();
  header.payload_bytes = payload.size();
  header.hash = XXH3_64bits_withSeed(
      payload.data(), payload.size(), XXH3_64bits(&header, offsetof(Header, hash)));
  return header;
}

tl::unexpected<Error> io_error(const char* doing, const std::filesystem::path& file) {
  return fail(ErrorCode::kIo,
              std::string(doing) + " " + file.string() + " failed: " + std::strerror(errno) +
                  "; check the folder's permissions and space");
}

}  // namespace

std::vector<std::byte> seal(DeviceFile kind,
                            const DeviceInfo& device,
                            std::span<const std::byte> payload) {
  const Header header = make_header(kind, device, payload);
  std::vector<std::byte> envelope(sizeof(header) + payload.size());
  std::memcpy(envelope.data(), &header, sizeof(header));
  std::copy(payload.begin(), payload.end(), envelope.begin() + sizeof(header));
  return envelope;
}

std::span<const std::byte> open_sealed(DeviceFile kind,
                                       const DeviceInfo& device,
                                       std::span<const std::byte> envelope) {
  if (envelope.size() < sizeof(Header)) return {};
  const auto payload = envelope.subspan(sizeof(Header));
  // Equal to the header we would write today: that is every check at once.
  const Header expected = make_header(kind, device, payload);
  if (std::memcmp(envelope.data(), &expected, sizeof(Header)) != 0) return {};
  return payload;
}

std::vector<std::byte> read_device_file(DeviceFile kind,
                                        const DeviceInfo& device,
                                        const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error || bytes > kMaxFileBytes) return {};
  std::vector<std::byte> envelope(bytes);
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(envelope.data()),
                   static_cast<std::streamsize>(envelope.size()))) {
    return {};
  }
  const auto payload = open_sealed(kind, device, envelope);
  return {payload.begin(), payload.end()};
}

Result<void> write_device_file(DeviceFile kind,
                               const DeviceInfo& device,
                               const std::filesystem::path& file,
                               std::span<const std::byte> payload) {
  const std::vector<std::byte> envelope = seal(kind, device, payload);
  std::string temporary = file.string() + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd.is_open()) return io_error("creating", temporary);
  std::span<const std::byte> left = envelope;
  while (!left.empty()) {
    const ssize_t written = ::write(fd.get(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const auto error = io_error("writing", temporary);
      ::unlink(temporary.c_str());
      return error;
    }
    left = left.subspan(static_cast<std::size_t>(written));
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    const auto error = io_error("replacing", file);
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

}  // namespace kinglet::vulkan
