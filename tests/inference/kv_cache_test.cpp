#include "inference/kv_cache.h"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::kPageTokens;
using inference::PageCopy;
using inference::PagePool;
using inference::PageTable;

namespace {

/// Appends n tokens; the copy that had to be made.
std::optional<PageCopy> append(PageTable& table, std::uint32_t n) {
  auto copy = table.reserve(n);
  REQUIRE(copy.has_value());
  table.commit(n);
  return *copy;
}

}  // namespace

TEST_SUITE("inference/kv_cache") {
  TEST_CASE("a table takes pages as it grows and gives them back") {
    PagePool pool(4);
    {
      PageTable table(pool);
      CHECK(pool.n_free() == 4);
      CHECK(!append(table, 1).has_value());
      CHECK(table.pages().size() == 1);
      append(table, kPageTokens - 1);
      CHECK(table.pages().size() == 1);
      append(table, kPageTokens + 1);
      CHECK(table.pages().size() == 3);
      table.truncate(kPageTokens);
      CHECK(table.n_tokens() == kPageTokens);
      CHECK(pool.n_free() == 3);
      table.truncate(1000);
      CHECK(table.n_tokens() == kPageTokens);
    }
    CHECK(pool.n_free() == 4);
  }

  TEST_CASE("what was reserved and not committed is given back by truncate") {
    PagePool pool(4);
    PageTable table(pool);
    append(table, 3);
    REQUIRE(table.reserve(3 * kPageTokens).has_value());
    CHECK(pool.n_free() == 0);
    table.truncate(3);
    CHECK(pool.n_free() == 3);
    CHECK(table.n_tokens() == 3);
  }

  TEST_CASE("too few pages is a clear error that changes nothing") {
    PagePool pool(2);
    PageTable table(pool);
    append(table, kPageTokens);
    const auto result = table.reserve(kPageTokens + 1);
    REQUIRE(!result.has_value());
    CHECK(result.error().code == ErrorCode::kOutOfMemory);
    CHECK(result.error().message ==
          "KV cache: 2 pages of 32 tokens wanted, 1 of 2 free; use a shorter prompt or a larger "
          "context");
    CHECK(table.pages().size() == 1);
    CHECK(pool.n_free() == 1);
  }

  TEST_CASE("a fork shares its origin's pages until it writes to a partly filled one") {
    PagePool pool(8);
    PageTable origin(pool);
    append(origin, 2 * kPageTokens + 5);
    PageTable fork = origin.fork(2 * kPageTokens + 3);
    CHECK(fork.n_tokens() == 2 * kPageTokens + 3);
    CHECK(pool.n_free() == 5);

    const auto copy = append(fork, 1);
    REQUIRE(copy.has_value());
    CHECK(copy->from == origin.pages()[2]);
    CHECK(copy->to == fork.pages()[2]);
    CHECK(copy->n_tokens == 3);
    CHECK(fork.pages()[0] == origin.pages()[0]);
    CHECK(fork.pages()[1] == origin.pages()[1]);
    CHECK(fork.pages()[2] != origin.pages()[2]);
    CHECK(pool.n_free() == 4);
    // Both own their last page now.
    CHECK(!append(fork, 1).has_value());
    CHECK(!append(origin, 1).has_value());
  }

  TEST_CASE("a fork at a page's end needs no copy") {
    PagePool pool(8);
    PageTable origin(pool);
    append(origin, 2 * kPageTokens);
    PageTable fork = origin.fork(2 * kPageTokens);
    CHECK(!append(fork, 1).has_value());
    CHECK(!append(origin, 1).has_value());
    CHECK(fork.pages()[2] != origin.pages()[2]);
  }

  TEST_CASE("truncating a fork leaves the origin's pages alone") {
    PagePool pool(8);
    PageTable origin(pool);
    append(origin, 3 * kPageTokens);
    {
      PageTable fork = origin.fork(3 * kPageTokens);
      fork.truncate(1);
      CHECK(pool.n_free() == 5);
      // Page 0 is still shared: writing at position 1 would spoil the origin's.
      const auto copy = append(fork, 1);
      REQUIRE(copy.has_value());
      CHECK(copy->n_tokens == 1);
    }
    CHECK(origin.pages().size() == 3);
    CHECK(pool.n_free() == 5);
  }

  TEST_CASE("a copy without a free page is refused before anything changes") {
    PagePool pool(1);
    PageTable origin(pool);
    append(origin, 3);
    PageTable fork = origin.fork(3);
    REQUIRE(!fork.reserve(1).has_value());
    CHECK(fork.pages()[0] == origin.pages()[0]);
    CHECK(pool.is_shared(origin.pages()[0]));
  }

  TEST_CASE("moving a table moves its pages") {
    PagePool pool(3);
    PageTable a(pool);
    append(a, kPageTokens + 1);
    PageTable b = std::move(a);
    CHECK(b.n_tokens() == kPageTokens + 1);
    PageTable c(pool);
    append(c, 1);
    c = std::move(b);
    CHECK(c.pages().size() == 2);
    CHECK(pool.n_free() == 1);
  }
}

}  // namespace kinglet::test
