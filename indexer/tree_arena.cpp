#include "indexer/tree_arena.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <sys/mman.h>

namespace kinglet::indexer {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsUsed = false;
#else
constexpr bool kIsUsed = true;
#endif

// Of addresses; memory is taken as it is touched.
constexpr std::size_t kRegionBytes = std::size_t{1} << 30;
// What a thread keeps from one file to the next.
constexpr std::size_t kKeptBytes = std::size_t{2} << 20;
constexpr std::size_t kAlignment = 16;
constexpr std::size_t kMaxListed = 1024;  // larger pieces are not used again

// Before each piece. 16 bytes, so that what follows is aligned for everything.
struct Header {
  std::size_t n_bytes;  // with the header
  Header* next;         // while it is free
};
static_assert(sizeof(Header) == kAlignment);

class Region {
 public:
  ~Region() {
    if (base_ != nullptr) ::munmap(base_, kRegionBytes);
  }

  bool is_active() const { return is_active_; }
  bool holds(const void* piece) const {
    return base_ != nullptr &&
           reinterpret_cast<std::uintptr_t>(piece) - reinterpret_cast<std::uintptr_t>(base_) <
               kRegionBytes;
  }
  /// Whether pieces were wanted that did not fit.
  bool has_run_out() const { return has_run_out_; }

  void begin() {
    if (base_ == nullptr) {
      void* region = ::mmap(nullptr,
                            kRegionBytes,
                            PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                            -1,
                            0);
      if (region == MAP_FAILED) return;
      base_ = static_cast<std::byte*>(region);
    }
    is_active_ = true;
  }

  void end() {
    if (used_ > kKeptBytes) ::madvise(base_ + kKeptBytes, used_ - kKeptBytes, MADV_DONTNEED);
    used_ = 0;
    free_ = {};
    is_active_ = false;
    has_run_out_ = false;
  }

  void* allocate(std::size_t n_bytes) {
    const std::size_t n_taken = taken(n_bytes);
    const std::size_t list = n_taken / kAlignment;
    if (n_taken <= kMaxListed && free_[list] != nullptr) {
      Header* piece = free_[list];
      free_[list] = piece->next;
      return piece + 1;
    }
    if (n_taken > kRegionBytes - used_) {
      has_run_out_ = true;
      return std::malloc(n_bytes + 1);  // no piece is of no size
    }
    auto* piece = reinterpret_cast<Header*>(base_ + used_);
    used_ += n_taken;
    piece->n_bytes = n_taken;
    return piece + 1;
  }

  void release(void* data) {
    Header* piece = static_cast<Header*>(data) - 1;
    if (is_last(piece)) {
      used_ -= piece->n_bytes;
    } else if (piece->n_bytes <= kMaxListed) {
      const std::size_t list = piece->n_bytes / kAlignment;
      piece->next = free_[list];
      free_[list] = piece;
    }
  }

  void* resize(void* data, std::size_t n_bytes) {
    Header* piece = static_cast<Header*>(data) - 1;
    const std::size_t n_taken = taken(n_bytes);
    if (n_taken <= piece->n_bytes) return data;
    const std::size_t n_more = n_taken - piece->n_bytes;
    if (is_last(piece) && n_more <= kRegionBytes - used_) {
      used_ += n_more;
      piece->n_bytes = n_taken;
      return data;
    }
    void* larger = allocate(n_bytes);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, data, piece->n_bytes - sizeof(Header));
    release(data);
    return larger;
  }

 private:
  static std::size_t taken(std::size_t n_bytes) {
    return (n_bytes + sizeof(Header) + kAlignment - 1) / kAlignment * kAlignment;
  }
  bool is_last(const Header* piece) const {
    return reinterpret_cast<const std::byte*>(piece) + piece->n_bytes == base_ + used_;
  }

  std::byte* base_ = nullptr;
  std::size_t used_ = 0;
  std::array<Header*, kMaxListed / kAlignment + 1> free_{};
  bool is_active_ = false;
  bool has_run_out_ = false;
};

thread_local Region region;

// As the C library's, and for what is not of this thread's region, too.
void* allocate(std::size_t n_bytes) {
  return region.is_active() ? region.allocate(n_bytes) : std::malloc(n_bytes + 1);
}

void* allocate_zeroed(std::size_t count, std::size_t size) {
  if (!region.is_active()) return std::calloc(count, size);
  if (size != 0 && count > kRegionBytes / size) return nullptr;
  void* data = region.allocate(count * size);
  if (data != nullptr) std::memset(data, 0, count * size);
  return data;
}

void* resize(void* data, std::size_t n_bytes) {
  if (data == nullptr) return allocate(n_bytes);
  return region.holds(data) ? region.resize(data, n_bytes) : std::realloc(data, n_bytes);
}

void release(void* data) {
  if (data == nullptr) return;
  if (region.holds(data)) {
    region.release(data);
  } else {
    std::free(data);
  }
}

}  // namespace

TreeArena::TreeArena() {
  if (!kIsUsed) return;
  static std::once_flag once;
  std::call_once(once, [] { ts_set_allocator(allocate, allocate_zeroed, resize, release); });
  region.begin();
}

TreeArena::~TreeArena() {
  if (region.is_active()) region.end();
}

void TreeArena::forget(Tree tree) {
  if (!region.is_active() || region.has_run_out()) return;
  (void)tree.release();
}

}  // namespace kinglet::indexer
