#include "indexer/name_slots.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/name_slots") {
  TEST_CASE("names are found where they stand, and no others") {
    std::mt19937 random(7);
    for (const std::size_t n_names : {0, 1, 2, 3, 100, 255, 256, 257, 20'000}) {
      CAPTURE(n_names);
      std::vector<std::string> names;
      std::vector<std::string> others;
      for (std::size_t i = 0; i < n_names; ++i) {
        // Of all lengths from none on, and much alike.
        names.push_back(i == 0 ? "" : std::string(random() % 40, 'n') + std::to_string(i));
        others.push_back(names.back() + "_");
      }
      std::ranges::sort(names);
      others.emplace_back("other");
      NameSlots slots;
      slots.build(names);
      for (std::uint32_t id = 0; id < names.size(); ++id) {
        const auto found = slots.find(names, names[id], NameSlots::hash(names[id]));
        REQUIRE(found);
        REQUIRE(*found == id);
      }
      for (const std::string& other : others)
        REQUIRE(!slots.find(names, other, NameSlots::hash(other)));
      // The hash may be another's: the name decides.
      if (n_names > 0) REQUIRE(!slots.find(names, "other", NameSlots::hash(names.front())));
      REQUIRE(slots.memory() <= 4 * (n_names + n_names / 3 + 1));
    }
  }

  TEST_CASE("what was never built has no names") {
    const std::vector<std::string> names = {"name"};
    CHECK(!NameSlots().find(names, "name", NameSlots::hash("name")));
    CHECK(NameSlots().memory() == 0);
  }
}

}  // namespace kinglet::indexer
