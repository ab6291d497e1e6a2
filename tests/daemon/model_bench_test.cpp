#include "daemon/model_bench.h"

#include <filesystem>
#include <memory>

#include <doctest/doctest.h>

#include "inference/model.h"

namespace kinglet::daemon {
namespace {

std::unique_ptr<inference::Executor> starter(std::uint32_t n_kv_tokens) {
  const std::filesystem::path source = KINGLET_SOURCE_DIR;
  auto model = inference::Model::load(source / "inference/starter_model/kinglet-starter.gguf");
  REQUIRE(model.has_value());
  auto executor = inference::find_backend("cpu")->create(*model, {.n_kv_tokens = n_kv_tokens});
  REQUIRE(executor.has_value());
  return std::move(*executor);
}

// A device that is as fast as nobody's, so that shares say something about the arithmetic alone.
constexpr inference::DeviceLimits kLimits = {.read_bytes_per_s = 1e15, .float_flops = 1e18};

}  // namespace

TEST_SUITE("daemon/model_bench") {
  TEST_CASE("each test is a row with a speed and a share of the limit") {
    const auto executor = starter(256);
    BenchOptions options;
    options.prefills = {32, 64};
    options.depths = {0, 100};
    options.n_decoded = 4;
    options.seconds_per_row = 0.05;
    std::uint32_t n_told = 0;
    options.on_row = [&](const BenchRow&) { ++n_told; };
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 4);
    CHECK(n_told == 4);
    for (const BenchRow& row : *rows) {
      CHECK(row.skipped.empty());
      CHECK(row.n_rounds >= 1);
      CHECK(row.tokens_per_s() > 0);
      CHECK(row.share_of_limit() > 0);
      CHECK(row.share_of_limit() < 1);
      CHECK(row.bytes > executor->model().weight_bytes() / 2);
    }
    CHECK((*rows)[1].n == 64);
    CHECK((*rows)[3].depth == 100);
    CHECK((*rows)[3].bytes > (*rows)[2].bytes);
  }

  TEST_CASE("what does not fit, or takes too long, is said and not measured") {
    const auto executor = starter(64);
    BenchOptions options;
    options.prefills = {16, 100'000};
    options.depths = {1'000};
    options.n_decoded = 4;
    options.seconds_per_row = 0.05;
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 3);
    CHECK((*rows)[0].skipped.empty());
    CHECK((*rows)[1].skipped == "more than the context holds");
    CHECK((*rows)[2].skipped == "more than the cache holds");
    CHECK((*rows)[2].tokens_per_s() == 0);
  }

  TEST_CASE("a row that would try the patience is skipped, and others follow") {
    const auto executor = starter(2'048);
    BenchOptions options;
    options.prefills = {256, 1'024};
    options.depths = {1'000, 0};
    options.n_decoded = 4;
    options.seconds_per_row = 0.05;
    options.patience = 1e-9;
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 4);
    CHECK((*rows)[0].skipped.empty());
    CHECK((*rows)[1].skipped.starts_with("would take about"));
    CHECK((*rows)[2].skipped.starts_with("filling the cache would take about"));
    CHECK((*rows)[3].skipped.empty());
  }

  TEST_CASE("tests of decoding continue one sequence, whatever the order of their depths") {
    const auto executor = starter(1'024);
    BenchOptions options;
    options.prefills = {};
    options.depths = {500, 100, 900, 1'000'000, 0};
    options.n_decoded = 4;
    options.seconds_per_row = 0.05;
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 5);
    for (const std::size_t i : {0, 1, 2, 4}) {
      CHECK((*rows)[i].skipped.empty());
      CHECK((*rows)[i].depth == options.depths[i]);
      CHECK((*rows)[i].tokens_per_s() > 0);
    }
    CHECK((*rows)[3].skipped == "more than the context holds");
  }

  TEST_CASE("the cache is asked to hold the longest test, as far as the model goes") {
    const auto executor = starter(64);
    BenchOptions options;
    options.prefills = {100};
    options.depths = {300};
    options.n_decoded = 4;
    CHECK(bench_tokens(executor->model(), options) == 304);
    options.depths = {1'000'000};
    CHECK(bench_tokens(executor->model(), options) ==
          executor->model().hyper_parameters().context_length);
    options.beyond_context = true;
    CHECK(bench_tokens(executor->model(), options) == 1'000'004);
  }

  TEST_CASE("the deepest test of a context leaves room for the tokens it decodes") {
    const auto executor = starter(1 << 20);
    const std::uint32_t context = executor->model().hyper_parameters().context_length;
    BenchOptions options;
    options.prefills = {};
    options.depths = {context, context + 1};
    options.n_decoded = 4;
    options.seconds_per_row = 0.05;
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 2);
    CHECK((*rows)[0].skipped.empty());
    CHECK((*rows)[0].depth == context - 4);
    CHECK(!(*rows)[0].beyond_context);
    CHECK((*rows)[1].skipped == "more than the context holds");
  }

  TEST_CASE("beyond the trained context passes are timed where that was asked for") {
    const auto executor = starter(16'384);
    const std::uint32_t context = executor->model().hyper_parameters().context_length;
    REQUIRE(context <= 8'192);
    BenchOptions options;
    options.prefills = {context + 1};
    options.depths = {context};
    options.n_decoded = 4;
    options.seconds_per_row = 1;
    options.beyond_context = true;
    const auto rows = bench_model(*executor, kLimits, options);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 2);
    for (const BenchRow& row : *rows) {
      CHECK(row.beyond_context);
      CHECK(row.tokens_per_s() > 0);
    }
    CHECK((*rows)[1].depth == context);
  }
}

}  // namespace kinglet::daemon
