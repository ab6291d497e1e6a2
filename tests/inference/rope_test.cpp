#include "inference/rope.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::rope_table;
using inference::RopeSpec;

TEST_SUITE("inference/rope") {
  TEST_CASE("angles are exact to f32 at the far end of a long context") {
    const RopeSpec spec{.n_pairs = 48, .freq_base = 10000.0};
    constexpr std::uint32_t kPosition = 131071;
    const std::vector<float> row = rope_table(spec, kPosition, 1);
    REQUIRE(row.size() == 96);
    for (std::size_t pair = 0; pair < 48; ++pair) {
      const long double angle =
          kPosition * std::pow(10000.0L, -static_cast<long double>(pair) / 48);
      CHECK(std::fabs(row[2 * pair] - static_cast<double>(std::cos(angle))) < 1e-7);
      CHECK(std::fabs(row[2 * pair + 1] - static_cast<double>(std::sin(angle))) < 1e-7);
    }
  }

  TEST_CASE("factors divide frequencies, the attention factor multiplies both numbers") {
    const RopeSpec spec{
        .n_pairs = 2, .freq_base = 100.0, .attention_factor = 1.25, .factors = {2.0F, 4.0F}};
    const std::vector<float> table = rope_table(spec, 0, 4);
    REQUIRE(table.size() == 16);
    CHECK(table[0] == 1.25F);
    CHECK(table[1] == 0.0F);
    // Position 3: angles 3 * 1 / 2 and 3 * (1 / 10) / 4.
    CHECK(table[12] == doctest::Approx(1.25 * std::cos(1.5)).epsilon(1e-6));
    CHECK(table[15] == doctest::Approx(1.25 * std::sin(0.075)).epsilon(1e-6));
  }

  TEST_CASE("a table made in two parts is the table made in one") {
    const RopeSpec spec{.n_pairs = 5, .freq_base = 500.0};
    std::vector<float> parts = rope_table(spec, 0, 7);
    const std::vector<float> rest = rope_table(spec, 7, 6);
    parts.insert(parts.end(), rest.begin(), rest.end());
    CHECK(parts == rope_table(spec, 0, 13));
  }
}

}  // namespace kinglet::test
