#include "daemon/eval/intervals.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::daemon {

TEST_SUITE("daemon/eval/intervals") {
  TEST_CASE("values of one file say nothing of other files") {
    CHECK(!mean_by_file({}, 1));
    const std::vector<Sample> one = {{"a", 0}, {"a", 1}};
    const auto sure = mean_by_file(one, 1);
    REQUIRE(sure);
    CHECK(sure->mean == 0.5);
    CHECK(sure->low == 0.5);
    CHECK(sure->high == 0.5);

    // Two files that are all 0 and all 1: a quarter of the draws each is all of one.
    const std::vector<Sample> two = {{"a", 0}, {"a", 0}, {"a", 0}, {"b", 1}};
    const auto unsure = mean_by_file(two, 1);
    REQUIRE(unsure);
    CHECK(unsure->mean == 0.25);
    CHECK(unsure->low == 0);
    CHECK(unsure->high == 1);
  }

  TEST_CASE("the interval of many files is that of the normal approximation") {
    std::vector<Sample> samples;
    samples.reserve(400);
    for (int i = 0; i < 400; ++i)
      samples.push_back({std::to_string(i), i % 2 == 0 ? 0.0 : 1.0});
    const auto interval = mean_by_file(samples, 7);
    REQUIRE(interval);
    CHECK(interval->mean == 0.5);
    // 1.96 * 0.5 / sqrt(400) = 0.049
    CHECK(interval->low == doctest::Approx(0.451).epsilon(0.02));
    CHECK(interval->high == doctest::Approx(0.549).epsilon(0.02));
    CHECK(mean_by_file(samples, 7)->low == interval->low);
  }
}

}  // namespace kinglet::daemon
