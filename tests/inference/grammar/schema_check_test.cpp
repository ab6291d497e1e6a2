// The short twin of schema_check_long_test.cpp.
#include <doctest/doctest.h>

#include "tests/inference/grammar/schema_check.h"
#include "tests/support/skip.h"

namespace kinglet::test {

TEST_SUITE("inference/grammar/schema_check") {
  TEST_CASE("what is written under a schema validates (300 random schemas)") {
    if (!can_check_schemas()) SKIP("ajv is not installed (./dev test does it)");
    const SchemaFigures figures = check_schemas(50'000, 300);
    CHECK(figures.trouble == "");
    CHECK(figures.n_parsed == figures.n_outputs);
    CHECK(figures.n_valid == figures.n_outputs);
    CHECK(figures.n_outputs + figures.n_refused == 300);
    CHECK(figures.n_refused < 60);
    CHECK(figures.n_tight > 100);
  }
}

}  // namespace kinglet::test
