#include "vulkan/operations/tune.h"

#include <cstdio>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/weights.h"
#include "vulkan/operations.h"

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

  TEST_CASE("tuning sets all numbers, and does nothing once they are known") {
    LAB();
    const auto tuning = tune(lab.device(), kFormats, kLong);
    REQUIRE(tuning.has_value());
    const std::size_t n_knobs = vec_knobs(lab.device().info(), WeightType::kF32, false).size() +
                                tiling_knobs(lab.device().info(), TileKind::kFloats).size() + 2;
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
