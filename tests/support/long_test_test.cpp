#include "tests/support/long_test.h"

#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::test {

TEST_CASE("a long test goes on where it was broken off, and begins anew with another seed") {
  const TemporaryFolder folder;
  ::setenv("KINGLET_DEV_CACHE", folder.path().c_str(), 1);
  {
    Checkpoint checkpoint("name", 1);
    CHECK(checkpoint.state().empty());
    checkpoint.save({{"rounds", 3}});
  }
  CHECK(Checkpoint("name", 1).state() == nlohmann::json{{"rounds", 3}});
  CHECK(Checkpoint("name", 2).state().empty());
  Checkpoint("name", 1).clear();
  CHECK(Checkpoint("name", 1).state().empty());
}

}  // namespace kinglet::test
