// Attention of many tokens, on each path, against the float64 reference.
#include <algorithm>
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/attention_cases.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

using enum CacheType;

struct Case {
  std::vector<CacheType> types;
  AttentionShape shape;
};

const std::vector<CacheType> kAll = {kF32, kF16, kQ8_0, kQ4_0};

// A driver that compiles for the CPU takes its time for each: not every shape for every type.
const std::vector<Case> kCases = {{kAll, {6, 2, 96, 32, 200, 70, 0}},
                                  {{kF32, kQ4_0}, {2, 2, 80, 16, 420, 20, 0}},  // several splits
                                  {{kF16}, {4, 2, 64, 32, 2'300, 20, 0}},       // in clusters
                                  {{kF16, kQ8_0}, {4, 1, 33, 8, 100, 40, 30, 0.5F}},
                                  {{kF16}, {1, 1, 256, 32, 70, 20, 0}}};

// Of class "f16 matrices": what is multiplied has 11 bits, and so have halves' sums over some
// values.
constexpr double kHalfTolerance = 2e-2;
constexpr double kMatrixTolerance = 5e-3;

double worst_of(Lab& lab, ProductPath path, bool exact_caches) {
  double worst = 0;
  for (const auto& [types, shape] : kCases) {
    for (const CacheType type : types) {
      if (type == kF32 && !exact_caches) continue;
      // The layers' own code takes many times as long to compile.
      if (under_validation() && type != types.front()) continue;
      CAPTURE(static_cast<int>(type));
      CAPTURE(shape.head_dim);
      worst = std::max(worst, attention_error(lab, type, shape, path));
    }
  }
  return worst;
}

}  // namespace

TEST_SUITE("vulkan/operations_attention_tile") {
  TEST_CASE("many tokens see what they should, in floats") {
    LAB();
    CHECK(worst_of(lab, ProductPath::kFloat, true) < 2e-5);
  }

  TEST_CASE("and in halves") {
    LAB();
    if (!lab.device().info().optional.float16_arithmetic) SKIP("no f16 arithmetic");
    if (under_validation()) return;  // minutes to compile there
    const double worst = worst_of(lab, ProductPath::kHalf, false);
    std::printf("attention in halves: worst error %.1e\n", worst);
    CHECK(worst < kHalfTolerance);
    // What rounds nothing would be no test of halves.
    CHECK(worst > 1e-4);
  }

  TEST_CASE("and by cooperative matrices") {
    LAB();
    if (!has_matrix_tiles(lab.device().info())) SKIP("no cooperative matrices");
    const double worst = worst_of(lab, ProductPath::kMatrix, false);
    std::printf("attention by matrices: worst error %.1e\n", worst);
    CHECK(worst < kMatrixTolerance);
    CHECK(worst > 1e-4);
  }

  TEST_CASE("a large element that all keys share leaves what tells them apart") {
    LAB();
    // As learned biases of queries and keys make them. Sums of scores in f16 once lost 65 % of
    // the result's deviation here.
    const OptionalFeatures& has = lab.device().info().optional;
    const AttentionShape shape = {6, 2, 96, 32, 200, 70, 0, 0, 0, 100};
    const auto check = [&](ProductPath path, double tolerance) {
      const double error = attention_error(lab, kF16, shape, path);
      std::printf(
          "attention with outliers, %s: error %.1e\n", std::string(path_name(path)).c_str(), error);
      CHECK(error < tolerance);
    };
    check(ProductPath::kFloat, 2e-4);
    if (has.float16_arithmetic && !under_validation()) check(ProductPath::kHalf, kHalfTolerance);
    if (has_matrix_tiles(lab.device().info())) check(ProductPath::kMatrix, kHalfTolerance);
  }

  TEST_CASE("a path is the products', and an exact cache is read exactly") {
    LAB();
    const auto kernels_of = [&](CacheType type, ProductPath path) {
      const auto operations = lab.operations(
          {.weights = {}, .caches = {type}, .product_path = path, .heads = {{64, 2, 32}}});
      return operations.kernels();
    };
    CHECK(kernels_of(kF16, ProductPath::kFloat).contains("attention_tile_f16"));
    CHECK(kernels_of(kF32, ProductPath::kHalf).contains("attention_tile_f32"));
    if (!lab.device().info().optional.float16_arithmetic) return;
    const auto halves = kernels_of(kF16, ProductPath::kHalf);
    CHECK(halves.contains("attention_tile_half_f16"));
    CHECK_FALSE(halves.contains("attention_tile_f16"));
  }
}
