#include "indexer/clang/library.h"

#include <array>

#include <doctest/doctest.h>

#include "tests/indexer/clang/unit.h"

namespace kinglet::indexer::clang {

TEST_SUITE("indexer/clang/library") {
  TEST_CASE("without libclang the error names the packages that turn semantics on") {
    constexpr std::array kNone = {"libclang-no-such.so.1"};
    const auto library = Library::load(kNone);
    REQUIRE(!library);
    CHECK(library.error().code == ErrorCode::kNotFound);
    CHECK(library.error().message.find("apt install libclang1-19 libclang-common-19-dev") !=
          std::string::npos);
  }

  TEST_CASE("a library that is not libclang is not taken for one") {
    constexpr std::array kOther = {"libc.so.6"};
    CHECK(!Library::load(kOther));
  }

  TEST_CASE("the library that is there says its version and where its headers are") {
    REQUIRE_LIBCLANG();
    CHECK(test::libclang()->version().find("clang version") != std::string::npos);
    CHECK(test::libclang()->resource_folder().find("/clang/") != std::string::npos);
  }
}

}  // namespace kinglet::indexer::clang
