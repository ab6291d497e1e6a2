#include "inference/cpu/tile_store.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {

using inference::cpu::kTileRows;
using inference::cpu::TileOut;
using inference::cpu::TileSums;

double silu(double x) {
  return x / (1 + std::exp(-x));
}

double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

struct Case {
  const char* name;
  void (*run)(const TileSums& first, const TileSums& second, const TileOut& out);
  double (*expected)(double out, double first, double second);
};

const Case kCases[] = {
    {"store",
     [](const TileSums& a, const TileSums&, const TileOut& out) {
       inference::cpu::store_tile(a, out);
     },
     [](double, double a, double) { return a; }},
    {"add",
     [](const TileSums& a, const TileSums&, const TileOut& out) {
       inference::cpu::add_tile(a, out);
     },
     [](double out, double a, double) { return out + a; }},
    {"gelu",
     [](const TileSums& a, const TileSums&, const TileOut& out) {
       inference::cpu::gelu_tile(a, out);
     },
     [](double, double a, double) { return gelu(a); }},
    {"swi_glu",
     [](const TileSums& a, const TileSums& b, const TileOut& out) {
       inference::cpu::swi_glu_tile(a, b, out);
     },
     [](double, double a, double b) { return silu(a) * b; }},
    {"ge_glu",
     [](const TileSums& a, const TileSums& b, const TileOut& out) {
       inference::cpu::ge_glu_tile(a, b, out);
     },
     [](double, double a, double b) { return gelu(a) * b; }},
};

}  // namespace

TEST_SUITE("inference/cpu/tile_store") {
  TEST_CASE("sums become what is said, and nothing beside them is written") {
    constexpr std::uint32_t kTokens = 3;
    constexpr std::size_t kStride = 21;
    for_each_simd_target([&] {
      for (const Case& c : kCases) {
        for (const std::uint32_t n_rows : {1U, 5U, 8U, 13U, 16U}) {
          CAPTURE(c.name);
          CAPTURE(n_rows);
          RandomFloats random(n_rows);
          const auto first = random.take(std::size_t{kTokens} * kTileRows, 8);
          const auto second = random.take(std::size_t{kTokens} * kTileRows, 8);
          const auto bias = random.take(n_rows);
          const auto before = random.take(kTokens * kStride);
          for (const bool has_bias : {false, true}) {
            const float* b = has_bias ? bias.data() : nullptr;
            std::vector<float> out = before;
            c.run({first.data(), b, 0.75F},
                  {second.data(), b, 1.5F},
                  {out.data(), kStride, kTokens, n_rows});
            for (std::uint32_t token = 0; token < kTokens; ++token) {
              for (std::uint32_t r = 0; r < kStride; ++r) {
                const std::size_t at = token * kStride + r;
                if (r >= n_rows) {
                  CHECK(out[at] == before[at]);
                  continue;
                }
                const std::size_t sum = std::size_t{token} * kTileRows + r;
                const double added = has_bias ? double{bias[r]} : 0.0;
                const double expected = c.expected(
                    before[at], 0.75 * (first[sum] + added), 1.5 * (second[sum] + added));
                CHECK(out[at] == doctest::Approx(expected).epsilon(3e-6).scale(1));
              }
            }
          }
        }
      }
    });
  }

  TEST_CASE("far below zero a gate is shut, and no number is none") {
    for_each_simd_target([] {
      const std::vector<float> gate(kTileRows, -3e4F);
      const std::vector<float> up(kTileRows, 2.0F);
      std::vector<float> out(kTileRows, 1.0F);
      const TileOut to{out.data(), kTileRows, 1, kTileRows};
      inference::cpu::swi_glu_tile({gate.data(), nullptr, 1}, {up.data(), nullptr, 1}, to);
      for (const float x : out)
        CHECK(std::fabs(x) < 1e-30F);
      inference::cpu::ge_glu_tile({gate.data(), nullptr, 1}, {up.data(), nullptr, 1}, to);
      for (const float x : out)
        CHECK(std::fabs(x) < 1e-30F);
    });
  }
}

}  // namespace kinglet::test
