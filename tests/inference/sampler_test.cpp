#include "inference/sampler.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::Sampler;
using inference::SamplerOptions;
using inference::TokenId;

namespace {

Sampler make(const SamplerOptions& options) {
  auto sampler = Sampler::create(options);
  REQUIRE(sampler.has_value());
  return std::move(*sampler);
}

TokenId draw(Sampler& sampler, const std::vector<float>& logits) {
  const auto token = sampler.sample(logits);
  REQUIRE(token.has_value());
  return *token;
}

}  // namespace

TEST_SUITE("inference/sampler") {
  TEST_CASE("greedy takes the highest logit, the lowest id of equal ones") {
    Sampler sampler = make({});
    CHECK(draw(sampler, {0.0F, 3.0F, -1.0F, 3.0F}) == 1);
    CHECK(draw(sampler, {-5.0F}) == 0);
    CHECK(draw(sampler, {-7.0F, -6.0F, -8.0F}) == 1);
  }

  TEST_CASE("drawn tokens have the probabilities of the softmax") {
    Sampler sampler = make({.temperature = 0.5F, .seed = 11});
    const std::vector<float> logits = {0.0F, 0.5F, 1.0F, -20.0F};
    std::vector<double> times(4, 0);
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i)
      ++times[static_cast<std::size_t>(draw(sampler, logits))];
    const double total = 1 + std::exp(1.0) + std::exp(2.0);
    for (int token = 0; token < 3; ++token) {
      CHECK(times[static_cast<std::size_t>(token)] / kDraws ==
            doctest::Approx(std::exp(token) / total).epsilon(0.02));
    }
    CHECK(times[3] == 0);
  }

  TEST_CASE("top_p keeps the fewest tokens that reach it") {
    // Probabilities 0.5, 0.3, 0.15, 0.05.
    const std::vector<float> logits = {
        std::log(0.15F), std::log(0.5F), std::log(0.05F), std::log(0.3F)};
    const auto drawn = [&](float top_p) {
      Sampler sampler = make({.temperature = 1.0F, .top_p = top_p, .seed = 3});
      std::string seen = "....";
      for (int i = 0; i < 500; ++i)
        seen[static_cast<std::size_t>(draw(sampler, logits))] = 'x';
      return seen;
    };
    CHECK(drawn(0.01F) == ".x..");
    CHECK(drawn(0.49F) == ".x..");
    CHECK(drawn(0.6F) == ".x.x");
    CHECK(drawn(0.9F) == "xx.x");
    CHECK(drawn(1.0F) == "xxxx");
  }

  TEST_CASE("a seed gives the same tokens on every machine") {
    const std::vector<float> logits(1000, 0.0F);
    Sampler sampler = make({.temperature = 1.0F, .seed = 42});
    // 1000 * the first numbers of mt19937_64(42), as [0, 1).
    CHECK(draw(sampler, logits) == 755);
    CHECK(draw(sampler, logits) == 639);
    CHECK(draw(sampler, logits) == 752);
    Sampler again = make({.temperature = 1.0F, .seed = 42});
    CHECK(draw(again, logits) == 755);
    Sampler other = make({.temperature = 1.0F, .seed = 43});
    CHECK(draw(other, logits) != 755);
  }

  TEST_CASE("logits that are not numbers are an error, wherever they are") {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      for (const float temperature : {0.0F, 1.0F}) {
        Sampler sampler = make({.temperature = temperature});
        const auto result = sampler.sample(std::vector<float>{1.0F, bad, 2.0F});
        REQUIRE(!result.has_value());
        CHECK(result.error().code == ErrorCode::kNumeric);
        CHECK(result.error().message.find("token 1") != std::string::npos);
      }
    }
  }

  TEST_CASE("options out of range are refused by name") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const float temperature : {-0.1F, 1000.0F, nan}) {
      const auto result = Sampler::create({.temperature = temperature});
      REQUIRE(!result.has_value());
      CHECK(result.error().code == ErrorCode::kInvalidArgument);
      CHECK(result.error().message.find("temperature") == 0);
    }
    for (const float top_p : {0.0F, -1.0F, 1.1F, nan}) {
      const auto result = Sampler::create({.temperature = 1.0F, .top_p = top_p});
      REQUIRE(!result.has_value());
      CHECK(result.error().message.find("top_p") == 0);
    }
  }

  TEST_CASE("extreme logits stay drawable") {
    Sampler sampler = make({.temperature = 0.01F, .seed = 1});
    CHECK(draw(sampler, {-3e38F, 3e38F, 0.0F}) == 1);
  }
}

}  // namespace kinglet::test
