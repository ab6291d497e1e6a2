#include "tests/daemon/prompt_limits.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/inference/round_trip.h"
#include "tests/support/shared.h"
#include "tests/support/skip.h"

namespace kinglet::test {

TEST_SUITE("daemon/prompt_limits") {
  TEST_CASE("no prompt is over its budget, and each is its pack, token for token") {
    constexpr std::uint64_t kBytes = 1'500'000;
    constexpr std::uint64_t kSeed = 5;
    constexpr std::uint64_t kCursors = 300;
    const PromptLimits limits(KINGLET_SOURCE_DIR,
                              source_files({KINGLET_SOURCE_DIR}, kBytes, kSeed));
    REQUIRE(limits.n_files() > 100);
    for (const std::string_view format :
         {"qwen2.5-coder", "file", "codestral", "instruct", "plain"})
      CHECK(std::ranges::count(limits.writers(), "starter model, " + std::string(format)) == 1);
    const PromptLimitFigures figures = limits.check(kSeed, 0, kCursors);
    for (const std::string& promise : figures.broken)
      FAIL_CHECK(promise);
    CHECK(figures.n_cursors == kCursors);
    CHECK(figures.n_prompts > kCursors);
    CHECK(figures.n_refused > 10);
    CHECK(figures.n_similar > kCursors);
    CHECK(figures.n_signatures > kCursors);
    // What the grammars do not know: heads of constructors outside their class, macros.
    CHECK(figures.n_unparsed_signatures * 20 <= figures.n_signatures);
    if (!shared("tokenizers"))
      SKIP("KINGLET_SHARED is not set: the starter model's vocabulary alone");
  }
}

}  // namespace kinglet::test
