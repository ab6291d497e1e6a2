#include "inference/cpu/rotate_head.h"

#include <vector>

#include <doctest/doctest.h>

#include "inference/rotation.h"
#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

TEST_SUITE("inference/cpu/rotate_head") {
  TEST_CASE("heads are turned, and back, as inference/rotation.h turns them, bit for bit") {
    // Powers of two, 12 and 20 of them, parts of a head, and what is too short for vectors.
    for (const std::uint32_t n :
         {1, 2, 4, 7, 8, 12, 20, 24, 36, 40, 48, 64, 72, 80, 96, 112, 128, 160, 192, 256, 512}) {
      CAPTURE(n);
      const std::vector<float> head = RandomFloats(n).take(n);
      std::vector<float> turned = head;
      inference::rotate(turned);
      std::vector<float> turned_back = head;
      inference::unrotate(turned_back);
      for_each_simd_target([&] {
        std::vector<float> out = head;
        inference::cpu::rotate_head(out.data(), n);
        CHECK(out == turned);
        out = head;
        inference::cpu::unrotate_head(out.data(), n);
        CHECK(out == turned_back);
      });
    }
  }
}

}  // namespace kinglet::test
