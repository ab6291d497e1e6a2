// Memory that lies in a file, so that what is rarely looked at need not stay in the process: the
// kernel may take its pages away at any time, and brings them back when they are touched.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <memory_resource>

#include "daemon/base/result.h"

namespace kinglet::indexer {

/// Hands out one piece of memory after the other and takes none back. The file has no name: it is
/// gone with the object or the process, and nobody else can write to it or cut it off.
class FileMemory final : public std::pmr::memory_resource {
 public:
  /// Room for `n_bytes` of pieces, what their alignment costs included. The room on disk is taken
  /// at once, so that a disk which fills up later does no harm. Errors: kIo.
  static Result<std::shared_ptr<FileMemory>> create(const std::filesystem::path& folder,
                                                    std::size_t n_bytes);
  FileMemory(const FileMemory&) = delete;
  FileMemory& operator=(const FileMemory&) = delete;
  ~FileMemory() override;

  /// Gives the pages back to the system. Safe while others read.
  void release_pages() const;
  std::size_t n_bytes() const { return n_bytes_; }

 private:
  FileMemory(std::byte* base, std::size_t n_bytes) : base_(base), n_bytes_(n_bytes) {}

  void* do_allocate(std::size_t n_bytes, std::size_t alignment) override;
  void do_deallocate(void* /*piece*/, std::size_t /*n_bytes*/, std::size_t /*alignment*/) override {
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::byte* base_;
  std::size_t n_bytes_;
  std::size_t n_used_ = 0;
};

}  // namespace kinglet::indexer
