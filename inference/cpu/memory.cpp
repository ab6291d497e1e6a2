#include "inference/cpu/memory.h"

#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace kinglet::inference::cpu {

std::uint64_t machine_memory() {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGE_SIZE);
  return n_pages > 0 && page_size > 0
             ? static_cast<std::uint64_t>(n_pages) * static_cast<std::uint64_t>(page_size)
             : UINT64_MAX;
}

Result<Arena> Arena::create(std::size_t n_bytes, const char* what) {
  Arena arena;
  if (n_bytes == 0) return arena;
  void* const bytes =
      n_bytes <= machine_memory()
          ? ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
          : MAP_FAILED;
  if (bytes == MAP_FAILED) {
    return fail(ErrorCode::kOutOfMemory,
                std::string(what) + ": " + std::to_string(n_bytes) +
                    " bytes are more memory than there is; choose a smaller model");
  }
  // Only a hint: fewer pages for the processor to look up.
  (void)::madvise(bytes, n_bytes, MADV_HUGEPAGE);
  arena.bytes_ = {static_cast<std::byte*>(bytes), Unmap{n_bytes}};
  return arena;
}

void Arena::Unmap::operator()(std::byte* bytes) const {
  ::munmap(bytes, n_bytes);
}

}  // namespace kinglet::inference::cpu
