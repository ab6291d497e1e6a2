// The long twin of prompt_limits_test.cpp: 10,000 cursors, over all of our own sources.
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/prompt_limits.h"
#include "tests/inference/round_trip.h"
#include "tests/support/long_test.h"

namespace {

using kinglet::test::PromptLimitFigures;

PromptLimitFigures from_json(const nlohmann::json& json) {
  const auto number = [&](const char* key) { return json.value(key, std::uint64_t{0}); };
  return {.n_cursors = number("cursors"),
          .n_refused = number("refused"),
          .n_prompts = number("prompts"),
          .n_tokens = number("tokens"),
          .n_budget = number("budget"),
          .n_similar = number("similar"),
          .n_signatures = number("signatures"),
          .n_unparsed_signatures = number("unparsed"),
          .broken = {}};
}

nlohmann::json to_json(const PromptLimitFigures& figures) {
  return {{"cursors", figures.n_cursors},
          {"refused", figures.n_refused},
          {"prompts", figures.n_prompts},
          {"tokens", figures.n_tokens},
          {"budget", figures.n_budget},
          {"similar", figures.n_similar},
          {"signatures", figures.n_signatures},
          {"unparsed", figures.n_unparsed_signatures}};
}

}  // namespace

TEST_CASE("no prompt is over its budget, and each is its pack, token for token (10,000 cursors)") {
  using namespace kinglet::test;
  constexpr std::uint64_t kSeed = 1;
  constexpr std::uint64_t kCursors = 10'000;
  constexpr std::uint64_t kCursorsAtOnce = 250;  // between checkpoints
  const PromptLimits limits(KINGLET_SOURCE_DIR,
                            source_files({KINGLET_SOURCE_DIR}, UINT64_MAX, kSeed));
  Checkpoint checkpoint("prompt_limits", kSeed);
  PromptLimitFigures figures = from_json(checkpoint.state());
  while (figures.n_cursors < kCursors) {
    figures.add(limits.check(kSeed, figures.n_cursors, kCursorsAtOnce));
    for (const std::string& promise : figures.broken)
      FAIL_CHECK(promise);
    REQUIRE(figures.broken.empty());
    checkpoint.save(to_json(figures));
  }
  std::string writers;
  for (const std::string& writer : limits.writers())
    writers += (writers.empty() ? "" : "; ") + writer;
  write_results(
      "prompt_limits",
      "Prompts at random cursors under random budgets, counted by the tokenizers",
      kSeed,
      {{"cursors, budgets of 0 to 131,072 tokens", std::to_string(figures.n_cursors)},
       {"source files of our own", std::to_string(limits.n_files())},
       {"vocabularies and formats", writers},
       {"budgets below what the format itself takes, refused", std::to_string(figures.n_refused)},
       {"prompts, those after an edit on the same layout too", std::to_string(figures.n_prompts)},
       {"tokens of them", std::to_string(figures.n_tokens)},
       {"tokens of their budgets", std::to_string(figures.n_budget)},
       {"prompts over budget", "0"},
       {"prompts that are not their pack, token for token", "0"},
       {"chunks of similar code", std::to_string(figures.n_similar)},
       {"chunks of signatures", std::to_string(figures.n_signatures)},
       {"… with syntax errors", std::to_string(figures.n_unparsed_signatures)}});
  checkpoint.clear();
}
