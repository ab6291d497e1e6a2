#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include <sys/stat.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace kinglet::inference {

/// A regular file mapped read-only. Reading a page that was cut off after the mapping was made is
/// SIGBUS: map only in a process that may die (the engine), and ask check_unchanged() before what
/// was read is believed.
class MappedFile {
 public:
  /// Errors: kNotFound; kInvalidArgument (a folder, a FIFO, a device, an empty file); kIo.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Bytes of the mapping that are read no more, or seldom: their whole pages leave this process's
  /// memory, and are read from the file again when they are touched. REQUIRES bytes of bytes().
  void release(std::span<const std::byte> bytes) const;

  /// Bytes that are read soon: the system begins to fetch them. REQUIRES bytes of bytes().
  void prefetch(std::span<const std::byte> bytes) const;

  /// kIo when size or modification time of the file differ from those at open().
  Result<void> check_unchanged() const;

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  struct timespec modified_ = {};
  std::span<const std::byte> bytes_;
};

}  // namespace kinglet::inference
