#include "vulkan/operations/tune.h"

#include <cstdio>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/weights.h"
#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

constexpr std::chrono::duration<double> kLong{300};

const Formats kFormats = {.weights = {WeightType::kF32},
                          .caches = {CacheType::kF16},
                          .heads = {{.head_dim = 32, .group = 2, .page_tokens = 32}}};

/// Of a matrix of 37 x 512 and `n_tokens` vectors.
std::vector<float> product(Lab& lab,
                           WeightType type,
                           const Tuning& tuning,
                           std::uint32_t n_tokens) {
  static const auto pipelines = Pipelines::create(lab.device());
  REQUIRE(pipelines.has_value());
  const auto operations =
      Operations::create(**pipelines, {.weights = {type}, .caches = {}, .tuning = tuning});
  REQUIRE(operations.has_value());
  const Weights weights = random_weights(type, std::size_t{37} * 512, 5);
  const auto matrix = lab.tensor(weights.bytes);
  const auto input = lab.tensor(random_floats(std::size_t{512} * n_tokens, 6));
  const auto output = lab.empty(std::size_t{37} * n_tokens * sizeof(float));
  lab.run([&](Stream& stream) {
    operations->mul_mat(stream,
                        {.weights = {type, matrix->address(), 37, 512},
                         .input = input->address(),
                         .output = output->address(),
                         .n_tokens = n_tokens});
  });
  return lab.read<float>(*output);
}

void check_all_values(Lab& lab,
                      WeightType type,
                      std::uint32_t n_tokens,
                      std::span<const Knob> knobs,
                      double tolerance) {
  const auto expected = doubles(product(lab, type, {}, n_tokens));
  for (const Knob& knob : knobs) {
    for (const std::uint32_t value : knob.values) {
      CAPTURE(knob.name);
      CAPTURE(value);
      Tuning tuning;
      tuning.set(knob.name, value);
      CHECK(worst_error(product(lab, type, tuning, n_tokens), expected) < tolerance);
    }
  }
}

}  // namespace

TEST_SUITE("vulkan/operations/tune") {
  TEST_CASE("whatever may be chosen, products of many tokens are the same") {
    LAB();
    check_all_values(
        lab, WeightType::kF32, 33, tiling_knobs(lab.device().info(), TileKind::kFloats), 1e-5);
  }

  TEST_CASE("models with different groups of heads have numbers of their own") {
    const auto knobs_of = [](std::uint32_t group) {
      return attention_knobs(CacheType::kF16, group);
    };
    // A head or two are one tile whatever the number is.
    CHECK(knobs_of(1).size() == 1);
    CHECK(knobs_of(2).size() == 1);
    REQUIRE(knobs_of(7).size() == 2);
    CHECK(knobs_of(7)[1].values == std::vector<std::uint32_t>{8, 4, 2});
    CHECK(knobs_of(3)[1].values == std::vector<std::uint32_t>{8, 2});
    CHECK(knobs_of(7)[1].name != knobs_of(3)[1].name);
  }

  TEST_CASE("kinds of tiles have wanted groups of their own") {
    LAB();
    DeviceInfo gpu = lab.device().info();
    gpu.type = DeviceType::kDiscrete;
    Tuning tuning;
    tuning.set("mul_mat_half.wanted_groups", 7);
    const Tiling tiling = tuned_tiling(gpu, tuning);
    CHECK(tiling.halves.wanted_groups == 7);
    CHECK(tiling.floats.wanted_groups == default_tiling(gpu).floats.wanted_groups);
  }

  TEST_CASE("tuning sets all numbers, and does nothing once they are known") {
    LAB();
    const auto tuning = tune(lab.device(), kFormats, kLong);
    REQUIRE(tuning.has_value());
    const std::size_t n_knobs = vec_knobs(lab.device().info(), WeightType::kF32, false).size() +
                                tiling_knobs(lab.device().info(), TileKind::kFloats).size() +
                                attention_knobs(CacheType::kF16, 2).size();
    CHECK(tuning->size() == n_knobs);
    std::printf("%s", tuning->text().c_str());
    const auto start = std::chrono::steady_clock::now();
    CHECK(tune(lab.device(), kFormats, kLong, *tuning) == *tuning);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  }

  TEST_CASE("without time nothing is tried") {
    LAB();
    const auto tuning = tune(lab.device(), kFormats, std::chrono::seconds(0));
    REQUIRE(tuning.has_value());
    CHECK(tuning->size() == 0);
  }

  TEST_CASE("what there is to choose from has a hash, of this device's shapes, too") {
    LAB();
    DeviceInfo device = lab.device().info();
    device.type = DeviceType::kDiscrete;
    device.max_shared_bytes = 65'536;
    const std::uint64_t hash = candidates_hash(device);
    CHECK(candidates_hash(device) == hash);
    DeviceInfo smaller = device;
    smaller.max_shared_bytes = 16'384;
    CHECK(candidates_hash(smaller) != hash);
    DeviceInfo narrower = device;
    narrower.max_workgroup_invocations = 128;
    CHECK(candidates_hash(narrower) != hash);
  }
}
