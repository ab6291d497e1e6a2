#include "daemon/file_rate.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

namespace {

/// Of a large file: enough for any disk to show what it can.
constexpr std::uint64_t kMostBytes = std::uint64_t{2} << 30;
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
/// Readers at once: disks want several requests, one core copies slower than fast ones deliver.
constexpr unsigned kReaders = 4;
/// Of a file's pages: what may stay behind (its first ones are read ahead of their time).
constexpr double kStaying = 0.02;

struct OpenFile {
  UniqueFd fd;
  std::uint64_t n_bytes = 0;
};

tl::unexpected<Error> failure(const std::filesystem::path& path, const char* what) {
  return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
              path.string() + ": cannot " + what + ": " + std::generic_category().message(errno));
}

Result<OpenFile> open_file(const std::filesystem::path& path) {
  OpenFile file;
  file.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.fd.is_open()) return failure(path, "open it");
  struct stat status = {};
  if (::fstat(file.fd.get(), &status) != 0) return failure(path, "look at it");
  if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    return fail(ErrorCode::kInvalidArgument, path.string() + " is no file with bytes in it");
  }
  file.n_bytes = static_cast<std::uint64_t>(status.st_size);
  return file;
}

/// Blocks are taken in their order by whoever is free, so that the system sees them come in order.
Result<double> read_once(const std::filesystem::path& path) {
  const OpenFile file = TRY(open_file(path));
  const std::uint64_t n_bytes = std::min(file.n_bytes, kMostBytes);
  std::atomic<std::uint64_t> next = 0;
  std::atomic<int> error = 0;
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> readers;
    for (unsigned i = 0; i < kReaders; ++i) {
      readers.emplace_back([&] {
        std::vector<char> block(kBlockBytes);
        for (std::uint64_t at = next.fetch_add(kBlockBytes); at < n_bytes;
             at = next.fetch_add(kBlockBytes)) {
          const ssize_t n =
              ::pread(file.fd.get(), block.data(), block.size(), static_cast<off_t>(at));
          if (n < 0) error = errno;
        }
      });
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (error != 0) {
    errno = error;
    return failure(path, "read it");
  }
  return static_cast<double>(n_bytes) / seconds.count();
}

/// Of the file's pages, the share that the page cache has.
Result<double> cached_share(const std::filesystem::path& path, const OpenFile& file) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((file.n_bytes + page - 1) / page);
  void* const address = ::mmap(nullptr, file.n_bytes, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (address == MAP_FAILED) return failure(path, "map it");
  const int result = ::mincore(address, file.n_bytes, pages.data());
  ::munmap(address, file.n_bytes);
  if (result != 0) return failure(path, "ask for its pages");
  const auto n_cached = std::ranges::count_if(pages, [](unsigned char p) { return (p & 1) != 0; });
  return static_cast<double>(n_cached) / static_cast<double>(pages.size());
}

}  // namespace

Result<bool> drop_from_page_cache(const std::filesystem::path& path) {
  const OpenFile file = TRY(open_file(path));
  (void)::fdatasync(file.fd.get());  // pages not yet written stay
  if (::posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_DONTNEED) != 0) return false;
  return TRY(cached_share(path, file)) <= kStaying;
}

Result<FileRate> measure_file_rate(const std::filesystem::path& path) {
  FileRate rate;
  if (TRY(drop_from_page_cache(path))) {
    rate.cold = TRY(read_once(path));
  } else {
    TRY(read_once(path));
  }
  rate.warm = TRY(read_once(path));
  return rate;
}

}  // namespace kinglet::daemon
