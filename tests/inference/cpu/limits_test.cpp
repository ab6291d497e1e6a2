#include "inference/cpu/limits.h"

#include <doctest/doctest.h>

namespace kinglet::test {

TEST_SUITE("inference/cpu/limits") {
  TEST_CASE("reading, copying and each kind of arithmetic have a rate of a processor's size") {
    const inference::DeviceLimits limits = inference::cpu::measure_limits(2).value();
    for (const double rate : {limits.read_bytes_per_s, limits.copy_bytes_per_s}) {
      CHECK(rate > 1e7);
      CHECK(rate < 1e13);
    }
    // What a compiler leaves out would be faster than any processor.
    for (const double rate : {limits.float_flops, limits.byte_ops}) {
      CHECK(rate > 1e8);
      CHECK(rate < 2e13);
    }
    CHECK(limits.matrix_flops == 0);
  }
}

}  // namespace kinglet::test
