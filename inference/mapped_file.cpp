#include "inference/mapped_file.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace kinglet::inference {
namespace {

tl::unexpected<Error> system_failure(const std::filesystem::path& path,
                                     const char* what,
                                     int error) {
  return fail(error == ENOMEM ? ErrorCode::kOutOfMemory : ErrorCode::kIo,
              path.string() + ": cannot " + what + ": " + std::generic_category().message(error));
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO without a writer would hang for ever.
  if (path.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the path of a file is empty; give the path of one");
  }
  MappedFile file;
  file.path_ = path;
  file.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.fd_.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail(ErrorCode::kNotFound,
                  path.string() +
                      ": no such file; was it moved or deleted? Put it back, or give the path of "
                      "another");
    }
    return system_failure(path, "open it", errno);
  }
  struct stat status = {};
  if (::fstat(file.fd_.get(), &status) != 0) return system_failure(path, "look at it", errno);
  if (S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, path.string() + " is a folder; give a file in it");
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kInvalidArgument,
                path.string() +
                    " is not a regular file; give the path of one (a pipe's text can be saved as a "
                    "file first)");
  }
  if (status.st_size == 0) {
    return fail(ErrorCode::kInvalidArgument, path.string() + " is empty; download it again");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd_.get(), 0);
  if (address == MAP_FAILED) return system_failure(path, "map it", errno);
  file.modified_ = status.st_mtim;
  file.bytes_ = {static_cast<const std::byte*>(address), size};
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      modified_(other.modified_),
      bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(modified_, other.modified_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> bytes) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(bytes.data() - bytes_.data());
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + bytes.size()) / page * page;
  if (begin >= end) return;
  // Only a hint: where it fails, the pages stay.
  (void)::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::prefetch(std::span<const std::byte> bytes) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(bytes.data() - bytes_.data());
  const std::size_t begin = offset / page * page;
  // Only a hint: where it fails, reading waits for each page.
  (void)::madvise(
      const_cast<std::byte*>(bytes_.data()) + begin, offset + bytes.size() - begin, MADV_WILLNEED);
}

Result<void> MappedFile::check_unchanged() const {
  struct stat status = {};
  if (::fstat(fd_.get(), &status) != 0) return system_failure(path_, "look at it", errno);
  if (static_cast<std::size_t>(status.st_size) != bytes_.size() ||
      status.st_mtim.tv_sec != modified_.tv_sec || status.st_mtim.tv_nsec != modified_.tv_nsec) {
    return fail(ErrorCode::kIo, path_.string() + " was changed while in use; load it again");
  }
  return {};
}

}  // namespace kinglet::inference
