// How much memory something takes. Linking this replaces the program's operator new and delete by
// ones that count.
#pragma once

#include <cstddef>

namespace kinglet::test {

/// Counts from its making on. One at a time.
class MemoryMeter {
 public:
  MemoryMeter();
  /// Most bytes that were held at once since then, beyond what was held before.
  std::size_t peak() const;

 private:
  std::size_t before_;
};

}  // namespace kinglet::test
