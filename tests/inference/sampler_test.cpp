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

  TEST_CASE("top_k, top_p and min_p each keep the most probable, and all of them count") {
    // Probabilities 0.5, 0.3, 0.15, 0.05.
    const std::vector<float> logits = {
        std::log(0.15F), std::log(0.5F), std::log(0.05F), std::log(0.3F)};
    const auto drawn = [&](SamplerOptions options) {
      options.temperature = 1;
      options.seed = 5;
      Sampler sampler = make(options);
      std::string seen = "....";
      for (int i = 0; i < 500; ++i)
        seen[static_cast<std::size_t>(draw(sampler, logits))] = 'x';
      return seen;
    };
    CHECK(drawn({.top_k = 1}) == ".x..");
    CHECK(drawn({.top_k = 2}) == ".x.x");
    CHECK(drawn({.top_k = 9}) == "xxxx");
    CHECK(drawn({.min_p = 1}) == ".x..");
    CHECK(drawn({.min_p = 0.55F}) == ".x.x");
    CHECK(drawn({.min_p = 0.2F}) == "xx.x");
    CHECK(drawn({.min_p = 0.05F}) == "xxxx");
    CHECK(drawn({.top_k = 3, .top_p = 0.6F}) == ".x.x");
    CHECK(drawn({.top_k = 3, .min_p = 0.05F}) == "xx.x");
    CHECK(drawn({.top_p = 0.9F, .min_p = 0.55F}) == ".x.x");
    // min_p does not change what top_p measures: 0.5 + 0.3 of all four reach 0.75.
    CHECK(drawn({.top_p = 0.82F, .min_p = 0.2F}) == "xx.x");
  }

  TEST_CASE("what is kept is drawn in its proportions") {
    Sampler sampler = make({.temperature = 1.0F, .top_k = 3, .seed = 2});
    std::vector<float> logits(5000, -3.0F);
    logits[7] = 1.0F;
    logits[4999] = 2.0F;
    logits[0] = 0.0F;
    int n_best = 0;
    for (int i = 0; i < 2000; ++i) {
      const TokenId token = draw(sampler, logits);
      CHECK((token == 0 || token == 7 || token == 4999));
      n_best += token == 4999;
    }
    const double total = 1 + std::exp(1.0) + std::exp(2.0);
    CHECK(n_best / 2000.0 == doctest::Approx(std::exp(2.0) / total).epsilon(0.05));
  }

  TEST_CASE("penalties weigh what already stands there") {
    const std::vector<float> logits = {2.0F, 1.9F, -1.0F, -1.1F};
    Sampler repetition = make({.repetition_penalty = 1.5F});
    CHECK(draw(repetition, logits) == 0);
    repetition.accept(0);
    CHECK(draw(repetition, logits) == 1);
    repetition.accept(1);
    CHECK(draw(repetition, logits) == 0);  // 1.33 to 1.27
    // Negative logits are pushed down, not up.
    Sampler negative = make({.repetition_penalty = 2.0F});
    negative.accept(0);
    CHECK(draw(negative, {-1.0F, -1.5F}) == 1);

    Sampler presence = make({.presence_penalty = 0.2F});
    presence.accept(0);
    presence.accept(0);
    CHECK(draw(presence, logits) == 1);
    presence.accept(1);
    CHECK(draw(presence, logits) == 0);
    Sampler frequency = make({.frequency_penalty = 0.06F});
    frequency.accept(0);
    CHECK(draw(frequency, logits) == 0);
    frequency.accept(0);
    CHECK(draw(frequency, logits) == 1);
  }

  TEST_CASE("penalties forget what is further back than penalty_tokens") {
    Sampler sampler = make({.presence_penalty = 5.0F, .penalty_tokens = 3});
    const std::vector<float> logits = {3.0F, 2.0F, 1.0F, 0.0F, -1.0F};
    for (const TokenId token : {0, 1, 2})
      sampler.accept(token);
    CHECK(draw(sampler, logits) == 3);
    sampler.accept(3);  // 0 is out
    CHECK(draw(sampler, logits) == 0);
    sampler.accept(2);  // 1 is out, 2 stands there twice
    CHECK(draw(sampler, logits) == 0);
    sampler.accept(4);
    sampler.accept(4);
    sampler.accept(4);
    CHECK(draw(sampler, logits) == 0);
    // Ids that this model does not have are no one's business.
    sampler.accept(77);
    sampler.accept(-1);
    CHECK(draw(sampler, logits) == 0);
  }

  TEST_CASE("only tokens of the mask take part") {
    const std::vector<float> logits = {9.0F, 3.0F, 5.0F, 4.0F};
    inference::TokenMask mask(4);
    mask.allow(1);
    mask.allow(3);
    Sampler greedy = make({});
    const auto token = greedy.sample(logits, &mask);
    REQUIRE(token.has_value());
    CHECK(*token == 3);
    Sampler hot = make({.temperature = 100, .seed = 1});
    for (int i = 0; i < 100; ++i)
      CHECK(mask.allows(*hot.sample(logits, &mask)));
    const inference::TokenMask none(4);
    const auto nothing = greedy.sample(logits, &none);
    REQUIRE(!nothing.has_value());
    CHECK(nothing.error().code == ErrorCode::kInvalidArgument);
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
    const auto error = [](const SamplerOptions& options) {
      const auto result = Sampler::create(options);
      REQUIRE(!result.has_value());
      return result.error().message.substr(0, result.error().message.find(' '));
    };
    for (const float bad : {-20.0F, 20.0F, nan}) {
      CHECK(error({.min_p = bad}) == "min_p");
      CHECK(error({.repetition_penalty = bad}) == "repetition_penalty");
      CHECK(error({.presence_penalty = bad}) == "presence_penalty");
      CHECK(error({.frequency_penalty = bad}) == "frequency_penalty");
    }
    CHECK(error({.penalty_tokens = 1U << 20}) == "penalty_tokens");
  }

  TEST_CASE("extreme logits stay drawable") {
    Sampler sampler = make({.temperature = 0.01F, .seed = 1});
    CHECK(draw(sampler, {-3e38F, 3e38F, 0.0F}) == 1);
  }
}

}  // namespace kinglet::test
