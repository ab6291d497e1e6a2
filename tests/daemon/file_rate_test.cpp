#include "daemon/file_rate.h"

#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {

TEST_SUITE("daemon/file_rate") {
  TEST_CASE("a file is read from the page cache, and from the disk where it has left the cache") {
    const test::TemporaryFolder folder;
    const auto path = folder.path() / "file";
    std::ofstream(path, std::ios::binary) << std::string(5 << 20, 'x');
    const auto rate = measure_file_rate(path);
    REQUIRE(rate.has_value());
    CHECK(rate->warm > 1e6);
    if (rate->cold) CHECK(*rate->cold > 1e4);
    // It was read again since.
    const auto dropped = drop_from_page_cache(path);
    REQUIRE(dropped.has_value());
    CHECK(*dropped == rate->cold.has_value());
  }

  TEST_CASE("what is no file with bytes is refused by name") {
    const test::TemporaryFolder folder;
    const auto missing = folder.path() / "missing";
    CHECK(measure_file_rate(missing).error().message ==
          missing.string() + ": cannot open it: No such file or directory");
    CHECK(measure_file_rate(missing).error().code == ErrorCode::kNotFound);
    std::ofstream(folder.path() / "empty").close();
    for (const char* const name : {"empty", "."}) {
      const auto rate = measure_file_rate(folder.path() / name);
      REQUIRE(!rate.has_value());
      CHECK(rate.error().code == ErrorCode::kInvalidArgument);
    }
  }
}

}  // namespace kinglet::daemon
