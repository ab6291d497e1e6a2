#include "indexer/context/neighborhood.h"

#include <string>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/context/neighborhood") {
  TEST_CASE("names come nearest first, heavier the nearer and the more often used") {
    const auto names = near_names("far_name()\nnear_name = far_name\n\nabove(x)\n", "below\n");
    std::vector<std::string> order;
    order.reserve(names.size());
    for (const NearName& name : names)
      order.push_back(name.name);
    CHECK(order == std::vector<std::string>{"above", "below", "near_name", "far_name"});
    const auto& [above, below, near, far] = std::tie(names[0], names[1], names[2], names[3]);
    CHECK(above.distance == 1);
    CHECK(above.is_called);
    CHECK(near.distance == 3);
    CHECK(!near.is_called);
    CHECK(far.distance == 3);
    CHECK(far.is_called);
    CHECK(above.weight > below.weight);
    CHECK(far.weight > near.weight);
  }

  TEST_CASE("distant and endless lines have no part in it") {
    std::string before = "too_far()\n";
    for (int i = 0; i < 300; ++i)
      before += "\n";
    CHECK(near_names(before, "").empty());
    CHECK(near_names(std::string(5'000'000, 'x') + "\n", "").empty());
    CHECK(near_names("", "").empty());
    CHECK(near_names("no_line_end", "").size() == 1);
  }
}

}  // namespace kinglet::indexer
