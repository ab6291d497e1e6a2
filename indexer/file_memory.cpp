#include "indexer/file_memory.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace kinglet::indexer {

namespace {

constexpr std::size_t kPage = 4096;

tl::unexpected<Error> failed(const char* what, const std::filesystem::path& folder, int error) {
  return fail(ErrorCode::kIo,
              "index: cannot " + std::string(what) + " a file in " + folder.string() + ": " +
                  std::strerror(error));
}

}  // namespace

Result<std::shared_ptr<FileMemory>> FileMemory::create(const std::filesystem::path& folder,
                                                       std::size_t n_bytes) {
  n_bytes = (n_bytes + kPage - 1) / kPage * kPage;
  // Not O_TMPFILE, which not every file system has.
  std::string name = (folder / "memory-XXXXXX").string();
  const UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.is_open()) return failed("create", folder, errno);
  ::unlink(name.c_str());
  // Not truncate: writing to a hole of a full disk would end the process.
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(n_bytes)); error != 0) {
    return failed("make room for", folder, error);
  }
  void* base = ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (base == MAP_FAILED) return failed("map", folder, errno);
  return std::shared_ptr<FileMemory>(new FileMemory(static_cast<std::byte*>(base), n_bytes));
}

FileMemory::~FileMemory() {
  ::munmap(base_, n_bytes_);
}

void FileMemory::release_pages() const {
  // Of a shared mapping this drops no data, only this process's hold on it.
  ::madvise(base_, n_bytes_, MADV_DONTNEED);
}

void* FileMemory::do_allocate(std::size_t n_bytes, std::size_t alignment) {
  const std::size_t at = (n_used_ + alignment - 1) / alignment * alignment;
  if (at > n_bytes_ || n_bytes > n_bytes_ - at) throw std::bad_alloc();
  n_used_ = at + n_bytes;
  return base_ + at;
}

}  // namespace kinglet::indexer
