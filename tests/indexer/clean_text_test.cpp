#include "indexer/clean_text.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/clean_text") {
  TEST_CASE("UTF-8 is valid in its shortest form only") {
    CHECK(is_valid_utf8("abc \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x90\xA6"));
    CHECK(is_valid_utf8(std::string_view("\0", 1)));
    for (const char* bad : {"\x80",
                            "\xC3",
                            "\xC3(",
                            "\xC0\xAF",              // '/' in two bytes
                            "\xE0\x80\xAF",          // in three
                            "\xED\xA0\x80",          // a surrogate
                            "\xF4\x90\x80\x80",      // past U+10FFFF
                            "\xF8\x88\x80\x80\x80",  // five bytes
                            "\xFF"}) {
      CHECK(!is_valid_utf8(bad));
      CHECK(!is_clean(bad));
    }
  }

  TEST_CASE("what cannot be seen is written out") {
    CHECK(clean("a\xE2\x80\xAE"
                "b") == "a\\u{202e}b");
    CHECK(clean("\xEF\xBB\xBFint") == "\\u{feff}int");
    CHECK(clean("zero\xE2\x80\x8Bwidth") == "zero\\u{200b}width");
    CHECK(clean("\xF3\xA0\x81\x81") == "\\u{e0041}");
    CHECK(clean("bell\a") == "bell ");
    CHECK(clean("\xff") == "\xEF\xBF\xBD");
    CHECK(clean("a\r\nb\rc\n") == "a\nb\nc\n");
    const char* seen = "tab\tand \xC3\xBC\xC3\x9F \xE4\xB8\xAD \xE2\x9D\xA4\xEF\xB8\x8F\n";
    CHECK(is_clean(seen));
    CHECK(clean(seen) == seen);
  }

  TEST_CASE("anything comes out clean, and clean text as it was") {
    std::mt19937 random(6);
    for (int round = 0; round < 3000; ++round) {
      std::string bytes(random() % 40, ' ');
      for (char& c : bytes)
        c = static_cast<char>(random() % 3 ? random() : 0xE2);
      const std::string once = clean(bytes);
      REQUIRE(is_clean(once));
      REQUIRE(clean(once) == once);
      if (is_clean(bytes)) REQUIRE(once == bytes);
    }
  }
}

}  // namespace kinglet::indexer
