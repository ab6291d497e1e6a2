#include "vulkan/spirv.h"

#include <array>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "vulkan/kernels/all.h"

using namespace kinglet;
using namespace kinglet::vulkan;

TEST_SUITE("vulkan/spirv") {
  TEST_CASE("workgroup size and push bytes are read from the shader") {
    const auto norm = reflect(kernel("rms_norm").spirv);
    REQUIRE(norm.has_value());
    CHECK(norm->workgroup_size == std::array<std::uint32_t, 3>{256, 1, 1});
    CHECK(norm->push_bytes == 3 * 8 + 3 * 4);
    const auto gelu = reflect(kernel("gelu").spirv);
    REQUIRE(gelu.has_value());
    CHECK(gelu->workgroup_size == std::array<std::uint32_t, 3>{64, 1, 1});
    CHECK(gelu->push_bytes == 8 + 2 * 4);
  }

  TEST_CASE("what is not SPIR-V is refused by name") {
    const auto empty = reflect({});
    REQUIRE(!empty.has_value());
    CHECK(empty.error().code == ErrorCode::kCorrupt);
    CHECK(empty.error().message.find("header") != std::string::npos);
    const std::vector<std::uint32_t> zeros(100, 0);
    CHECK(!reflect(zeros).has_value());
  }

  TEST_CASE("a truncated shader is refused or read, never run past") {
    const auto whole = kernel("add").spirv;
    for (std::size_t words = 0; words < whole.size(); ++words) {
      // A copy, so that a sanitizer sees a read past its end.
      const std::vector<std::uint32_t> part(whole.begin(),
                                            whole.begin() + static_cast<std::ptrdiff_t>(words));
      const auto shader = reflect(part);
      if (!shader) CHECK(shader.error().code == ErrorCode::kCorrupt);
    }
  }

  TEST_CASE("a shader with wrong words is refused or read, never run past") {
    const auto whole = kernel("add").spirv;
    std::mt19937 generator(1);
    for (int round = 0; round < 20'000; ++round) {
      std::vector<std::uint32_t> words(whole.begin(), whole.end());
      for (int change = 0; change < 3; ++change) {
        std::uint32_t& word = words[generator() % words.size()];
        word = generator() % 2 == 0 ? static_cast<std::uint32_t>(generator())
                                    : word ^ (1U << generator() % 32);
      }
      const auto shader = reflect(words);
      if (!shader) CHECK(shader.error().code == ErrorCode::kCorrupt);
    }
  }
}
