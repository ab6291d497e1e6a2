#include "inference/score.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/cpu/backend.h"
#include "inference/model.h"
#include "tests/inference/conformance.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using inference::Executor;
using inference::LogitsWanted;
using inference::score;
using inference::TokenId;

namespace {

std::unique_ptr<Executor> executor() {
  static const TemporaryFolder kFolder;
  const auto path = kFolder / "model.gguf";
  if (!std::filesystem::exists(path)) write_synthetic_gguf({}, path.string());
  auto model = inference::Model::load(path);
  REQUIRE(model);
  auto made = inference::find_backend("cpu")->create(
      *model, {.kv_format = inference::KvFormat::kF32, .n_kv_tokens = 256, .n_threads = 1});
  REQUIRE(made);
  return *std::move(made);
}

}  // namespace

TEST_SUITE("inference/score") {
  TEST_CASE("scores are those of the logits, each of the token that followed") {
    const auto model = executor();
    const std::vector<TokenId> tokens = random_tokens(70, 384, 8);
    const auto scores = score(*model, tokens, 1);
    REQUIRE(scores);
    REQUIRE(scores->size() == 69);

    const std::size_t n_vocabulary = model->model().hyper_parameters().n_vocabulary;
    std::vector<float> logits(tokens.size() * n_vocabulary);
    auto sequence = model->new_sequence({.max_tokens = 70});
    REQUIRE(model->forward(*sequence, tokens, LogitsWanted::kAll, logits));
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const float* row = &logits[i * n_vocabulary];
      const float own = row[tokens[i + 1]];
      double sum = 0;
      std::uint32_t rank = 0;
      for (std::size_t j = 0; j < n_vocabulary; ++j) {
        sum += std::exp(static_cast<double>(row[j]));
        rank += row[j] > own ? 1 : 0;
      }
      CHECK((*scores)[i].bits ==
            doctest::Approx(-std::log2(std::exp(static_cast<double>(own)) / sum)).epsilon(1e-4));
      CHECK((*scores)[i].rank == rank);
    }
  }

  TEST_CASE("how much is given changes how much is scored, and nothing else") {
    const auto model = executor();
    const std::vector<TokenId> tokens = random_tokens(50, 384, 9);
    const auto all = score(*model, tokens, 1);
    const auto last = score(*model, tokens, 43);
    REQUIRE(last);
    REQUIRE(last->size() == 7);
    for (std::size_t i = 0; i < 7; ++i) {
      CHECK((*last)[i].bits == doctest::Approx((*all)[42 + i].bits).epsilon(1e-5));
    }
  }

  TEST_CASE("nothing given, nothing left, or a request to stop is an error") {
    const auto model = executor();
    const std::vector<TokenId> tokens = random_tokens(5, 384, 10);
    CHECK(score(*model, tokens, 0).error().code == ErrorCode::kInvalidArgument);
    CHECK(score(*model, tokens, 5).error().code == ErrorCode::kInvalidArgument);
    std::stop_source stop;
    stop.request_stop();
    CHECK(score(*model, tokens, 2, stop.get_token()).error().code == ErrorCode::kCancelled);
  }
}

}  // namespace kinglet::test
