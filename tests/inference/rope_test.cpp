#include "inference/rope.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "inference/models/architecture.h"

namespace kinglet::test {

using inference::HyperParameters;
using inference::rope_spec_of;
using inference::rope_table;
using inference::RopeScaling;
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

  TEST_CASE("linear scaling turns position s * p as p was turned") {
    HyperParameters h;
    h.rope_dims = 16;
    h.rope_freq_base = 100'000.0F;
    const auto plain = rope_table(rope_spec_of(h, {}), 0, 40);
    h.rope_scaling = RopeScaling::kLinear;
    h.rope_scaling_factor = 4.0F;
    const auto stretched = rope_table(rope_spec_of(h, {}), 0, 160);
    for (std::size_t position = 0; position < 40; ++position) {
      for (std::size_t i = 0; i < 16; ++i)
        CHECK(stretched[4 * position * 16 + i] == plain[position * 16 + i]);
    }
  }

  TEST_CASE("YaRN leaves fast pairs, stretches slow ones and raises the magnitude") {
    // Qwen2.5's: 32,768 positions made 131,072. The expected numbers are those of the paper's
    // formulas, computed by hand with the wavelengths: pair i turns 32768 / (2 pi 1e6^(i/64))
    // times.
    HyperParameters h;
    h.rope_dims = 128;
    h.rope_freq_base = 1e6F;
    h.rope_scaling = RopeScaling::kYarn;
    h.rope_scaling_factor = 4.0F;
    h.rope_original_context = 32768;
    const RopeSpec spec = rope_spec_of(h, {});
    REQUIRE(spec.factors.size() == 64);
    CHECK(spec.attention_factor == doctest::Approx(1.1386294361));  // 1 + 0.1 ln 4
    // 32 turns at pair 23.596, one at 39.651: the ramp is from 23 to 40.
    CHECK(spec.factors[0] == 1.0);
    CHECK(spec.factors[23] == 1.0);
    CHECK(spec.factors[40] == 4.0);
    CHECK(spec.factors[63] == 4.0);
    // Pair 31 is 8/17 of the way: its frequency is 9/17 + 8/17/4 of what it was.
    CHECK(spec.factors[31] == doctest::Approx(17.0 / 11.0));
  }

  TEST_CASE("a file's factors count beside the scaling") {
    HyperParameters h;
    h.rope_dims = 4;
    const std::vector<float> file = {2.0F, 8.0F};
    CHECK(rope_spec_of(h, file).factors == std::vector<double>{2, 8});
    h.rope_scaling = RopeScaling::kLinear;
    h.rope_scaling_factor = 3.0F;
    CHECK(rope_spec_of(h, file).factors == std::vector<double>{6, 24});
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
