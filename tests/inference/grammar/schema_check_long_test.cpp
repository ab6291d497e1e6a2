// 10,000 outputs under random schemas, in batches that a broken run goes on from.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/inference/grammar/schema_check.h"
#include "tests/support/long_test.h"
#include "tests/support/skip.h"

namespace kinglet::test {

namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint64_t kBatch = 500;
constexpr std::uint64_t kOutputs = 10'000;

}  // namespace

TEST_SUITE("inference/grammar/schema_check") {
  TEST_CASE("what is written under a schema validates (10,000 random schemas)") {
    if (!can_check_schemas()) SKIP("ajv is not installed (./dev test does it)");
    Checkpoint checkpoint("json_schema", kSeed);
    nlohmann::json sums = checkpoint.state();
    const auto sum = [&](const char* name) { return sums.value(name, std::uint64_t{0}); };
    while (sum("outputs") < kOutputs) {
      const SchemaFigures figures = check_schemas(kSeed + sum("schemas"), kBatch);
      REQUIRE(figures.trouble == "");
      sums["schemas"] = sum("schemas") + figures.n_schemas;
      sums["refused"] = sum("refused") + figures.n_refused;
      sums["small"] = sum("small") + figures.n_small_refused;
      sums["outputs"] = sum("outputs") + figures.n_outputs;
      sums["tight"] = sum("tight") + figures.n_tight;
      sums["tokens"] = sum("tokens") + figures.n_tokens;
      sums["parsed"] = sum("parsed") + figures.n_parsed;
      sums["valid"] = sum("valid") + figures.n_valid;
      checkpoint.save(sums);
    }
    CHECK(sum("parsed") == sum("outputs"));
    CHECK(sum("valid") == sum("outputs"));
    write_results(
        "json_schema",
        "What a model of random weights writes under random JSON schemas",
        kSeed,
        {{"schemas", std::to_string(sum("schemas"))},
         {"of these refused, because nothing satisfies them", std::to_string(sum("refused"))},
         {"limits below the shortest text, all refused", std::to_string(sum("small"))},
         {"outputs", std::to_string(sum("outputs"))},
         {"of these with at most 3 tokens more than the shortest text",
          std::to_string(sum("tight"))},
         {"tokens", std::to_string(sum("tokens"))},
         {"outputs that are JSON", std::to_string(sum("parsed"))},
         {"outputs that ajv validates", std::to_string(sum("valid"))}});
    checkpoint.clear();
  }
}

}  // namespace kinglet::test
