// Many seeded inputs for each fuzz target, in batches that a broken run goes on from. How many can
// be asked for: KINGLET_FUZZ_INPUTS.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "tests/fuzz/fuzz_run.h"
#include "tests/support/long_test.h"

namespace kinglet::test {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint64_t kBatch = 500;

std::uint64_t n_wanted() {
  const char* asked = std::getenv("KINGLET_FUZZ_INPUTS");
  return asked == nullptr ? 50'000 : std::strtoull(asked, nullptr, 10);
}

std::string two_decimals(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

/// What is known of a target's run so far, in a checkpoint.
FuzzFigures from_json(const nlohmann::json& json) {
  FuzzFigures figures;
  figures.n_inputs = json.value("inputs", std::uint64_t{0});
  figures.n_accepted = json.value("accepted", std::uint64_t{0});
  figures.worst_seconds = json.value("seconds", 0.0);
  figures.worst_seed = json.value("seed", std::uint64_t{0});
  figures.worst_bytes = json.value("bytes", std::uint64_t{0});
  return figures;
}

nlohmann::json to_json(const FuzzFigures& figures) {
  return {{"inputs", figures.n_inputs},
          {"accepted", figures.n_accepted},
          {"seconds", figures.worst_seconds},
          {"seed", figures.worst_seed},
          {"bytes", figures.worst_bytes}};
}

}  // namespace

TEST_SUITE("fuzz/targets") {
  TEST_CASE("spoiled inputs are refused or harmless (many of them)") {
    Checkpoint checkpoint("fuzz", kSeed);
    nlohmann::json state = checkpoint.state();
    std::vector<std::pair<std::string, std::string>> rows;
    for (const FuzzTarget* target : all_fuzz_targets()) {
      const std::string name(target->name);
      FuzzFigures figures = from_json(state.value(name, nlohmann::json::object()));
      while (figures.n_inputs < n_wanted()) {
        const FuzzFigures batch = run_fuzz_seeds(*target, (kSeed << 32) + figures.n_inputs, kBatch);
        REQUIRE(batch.trouble == "");
        INFO(name, ": ", batch.worst_bytes, " bytes");
        REQUIRE(batch.n_beyond_bytes == 0);
        figures.add(batch);
        state[name] = to_json(figures);
        checkpoint.save(state);
      }
      rows.push_back(
          {name,
           std::to_string(figures.n_inputs) + " inputs, " + std::to_string(figures.n_accepted) +
               " accepted; slowest " + two_decimals(figures.worst_seconds) + " s, most memory " +
               two_decimals(static_cast<double>(figures.worst_bytes) / (1 << 20)) + " MiB"});
    }
    rows.push_back({"broken promises, crashes, inputs that took more memory than allowed", "0"});
    write_results("fuzz", "Damaged inputs of every parser of the models", kSeed, rows);
    checkpoint.clear();
  }
}

}  // namespace kinglet::test
