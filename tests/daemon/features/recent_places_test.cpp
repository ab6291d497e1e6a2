#include "daemon/features/recent_places.h"

#include <doctest/doctest.h>

namespace kinglet::daemon {
namespace {

std::string shown(const RecentPlaces& places, const std::string& root = "/r") {
  std::string all;
  for (const indexer::RecentPlace& place : places.below(root))
    all += place.path + ":" + std::to_string(place.range.begin) + "-" +
           std::to_string(place.range.end) + " ";
  return all;
}

}  // namespace

TEST_SUITE("daemon/features/recent_places") {
  TEST_CASE("the newest first; who types is at one place") {
    RecentPlaces places;
    places.note("/r/a.c", {5000, 5000});
    places.note("/r/b.c", {10, 12});
    CHECK(shown(places) == "b.c:10-12 a.c:5000-5000 ");
    for (std::uint32_t key = 0; key < 500; ++key)
      places.note("/r/a.c", {5000 + key, 5001 + key});
    CHECK(shown(places) == "a.c:5000-5500 b.c:10-12 ");
    places.note("/r/a.c", {20'000, 20'000});
    CHECK(shown(places) == "a.c:20000-20000 a.c:5000-5500 b.c:10-12 ");
    places.note("/r/a.c", {4'294'967'290U, 4'294'967'295U});
    CHECK(places.below("/r").size() == 4);
  }

  TEST_CASE("one file does not take the others' places, nor one place the whole file") {
    RecentPlaces places;
    places.note("/r/b.c", {0, 0});
    for (std::uint32_t i = 0; i < 40; ++i)
      places.note("/r/a.c", {i * 5000, i * 5000});
    CHECK(places.below("/r").size() == 7);
    CHECK(shown(places).ends_with(" b.c:0-0 "));
    for (std::uint32_t at = 0; at < 300'000; at += 1500)
      places.note("/r/b.c", {at, at});
    for (const indexer::RecentPlace& place : places.below("/r"))
      CHECK(place.range.size() <= 8000);
    CHECK(places.below("/r").front().range.end == 298'500);
  }

  TEST_CASE("an opened file is a place until something happens in it") {
    RecentPlaces places;
    places.note_opened("/r/a.c");
    places.note_opened("/r/b.c");
    CHECK(shown(places) == "b.c:0-0 a.c:0-0 ");
    places.note("/r/a.c", {7000, 7000});
    CHECK(shown(places) == "a.c:7000-7000 b.c:0-0 ");
    places.note_opened("/r/a.c");
    CHECK(shown(places) == "a.c:7000-7000 b.c:0-0 ");
    places.note_opened("/r/c.c");
    CHECK(shown(places) == "a.c:7000-7000 c.c:0-0 b.c:0-0 ");
  }

  TEST_CASE("only what lies below the folder, and not too many") {
    RecentPlaces places;
    places.note("/r/a.c", {1, 1});
    places.note("/rest/b.c", {2, 2});
    places.note("/r/d/c.c", {3, 3});
    CHECK(shown(places) == "d/c.c:3-3 a.c:1-1 ");
    CHECK(shown(places, "/r/") == "d/c.c:3-3 a.c:1-1 ");
    CHECK(shown(places, "/") == "r/d/c.c:3-3 rest/b.c:2-2 r/a.c:1-1 ");
    for (std::uint32_t i = 0; i < 1000; ++i)
      places.note("/r/" + std::to_string(i), {i, i});
    CHECK(places.below("/r").size() == 32);
  }
}

}  // namespace kinglet::daemon
