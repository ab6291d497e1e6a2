// A model file in memory that can be sealed: whoever reads or writes a byte of it then is ended by
// the system. What goes on without it has not touched the base weights, and that is proven.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include <sys/mman.h>

namespace kinglet::test {

class SealedBytes {
 public:
  explicit SealedBytes(std::span<const std::byte> bytes) : size_(bytes.size()) {
    void* const address =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(address != MAP_FAILED);
    begin_ = static_cast<std::byte*>(address);
    std::copy(bytes.begin(), bytes.end(), begin_);
    open();
  }
  SealedBytes(const SealedBytes&) = delete;
  SealedBytes& operator=(const SealedBytes&) = delete;
  ~SealedBytes() { ::munmap(begin_, size_); }

  std::span<const std::byte> bytes() const { return {begin_, size_}; }
  void seal() { protect(PROT_NONE); }
  void open() { protect(PROT_READ); }

 private:
  void protect(int protection) {
    const int result = ::mprotect(begin_, size_, protection);
    assert(result == 0);
    (void)result;
  }

  std::byte* begin_ = nullptr;
  std::size_t size_;
};

}  // namespace kinglet::test
