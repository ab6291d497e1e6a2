#include "indexer/context/recency.h"

#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/context/recency") {
  TEST_CASE("the newest place counts most, a file as its newest place") {
    const std::vector<RecentPlace> places = {
        {"a.c", {100, 100}}, {"b.c", {10, 10}}, {"a.c", {500, 500}}};
    const Recency recency(places);
    CHECK(!recency.empty());
    CHECK(std::vector(recency.paths().begin(), recency.paths().end()) ==
          std::vector<std::string_view>{"a.c", "b.c"});
    CHECK(recency.of_file("a.c") == 1);
    CHECK(recency.of_file("b.c") < 1);
    CHECK(recency.of_file("b.c") > 0);
    CHECK(recency.of_file("c.c") == 0);
    CHECK(recency.of("a.c", {90, 110}) == 1);
    CHECK(recency.of("a.c", {100, 101}) == 1);
    CHECK(recency.of("a.c", {101, 400}) == 0);
    CHECK(recency.of("a.c", {400, 600}) > 0);
    CHECK(recency.of("a.c", {400, 600}) < recency.of_file("b.c"));
    CHECK(recency.of("c.c", {0, 1000}) == 0);
  }

  TEST_CASE("nobody was anywhere") {
    const Recency recency({});
    CHECK(recency.empty());
    CHECK(recency.of_file("a.c") == 0);
  }
}

}  // namespace kinglet::indexer
