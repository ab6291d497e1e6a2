#include "inference/output_text.h"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::OutputText;
using inference::TokenId;

namespace {

OutputText make(std::vector<std::string> stops, std::size_t n_skipped = 0) {
  auto text = OutputText::create(std::move(stops), n_skipped);
  REQUIRE(text.has_value());
  return std::move(*text);
}

/// "3:ab 4:" for a token 3 with the text "ab" and a token 4 without any.
std::string take(OutputText& text) {
  std::string out;
  OutputText::Piece piece;
  while (text.next(piece)) {
    if (!out.empty()) out += ' ';
    out += std::to_string(piece.token) + ":" + piece.bytes;
  }
  return out;
}

/// What is given out after each of the pieces, and after the end, if it comes to that.
std::vector<std::string> feed(OutputText text, const std::vector<std::string>& pieces) {
  std::vector<std::string> given;
  TokenId token = 0;
  for (const std::string& piece : pieces) {
    const bool stopped = text.add(token++, piece);
    given.push_back(take(text));
    if (stopped) return given;
  }
  text.finish();
  given.push_back(take(text));
  return given;
}

using Given = std::vector<std::string>;

}  // namespace

TEST_SUITE("inference/output_text") {
  TEST_CASE("without stop strings every token is given out at once") {
    CHECK(feed(make({}), {"ab", "", "c"}) == Given{"0:ab", "1:", "2:c", ""});
  }

  TEST_CASE("a stop string ends the text wherever tokens part it") {
    CHECK(feed(make({"STOP"}), {"a", "STOP", "b"}) == Given{"0:a", ""});
    CHECK(feed(make({"STOP"}), {"aST", "OPb"}) == Given{"", "0:a"});
    CHECK(feed(make({"STOP"}), {"a", "S", "T", "O", "P"}) == Given{"0:a", "", "", "", ""});
    CHECK(feed(make({"\n\n", "```"}), {"x\n", "y\n", "`", "``"}) ==
          Given{"", "0:x\n", "1:y\n", ""});
  }

  TEST_CASE("what turns out to be no stop string is given out, token by token") {
    CHECK(feed(make({"STOP"}), {"aST", "", "O", "X"}) == Given{"", "", "", "0:aST 1: 2:O 3:X", ""});
    CHECK(feed(make({"STOP"}), {"a", "STO"}) == Given{"0:a", "", "1:STO"});
    // The stop string begins anew inside of what it had begun with.
    CHECK(feed(make({"aab"}), {"a", "a", "a", "b"}) == Given{"", "", "0:a", ""});
  }

  TEST_CASE("of several stop strings, the first complete one counts, at its earliest place") {
    CHECK(feed(make({"abcd", "bc"}), {"xa", "b", "c"}) == Given{"", "", "0:xa"});
    CHECK(feed(make({"c", "abc"}), {"xabc"}) == Given{"0:x"});
    CHECK(feed(make({"b"}), {"abab"}) == Given{"0:a"});
  }

  TEST_CASE("the first bytes are skipped, and their tokens come with the first that shows some") {
    CHECK(feed(make({}, 3), {"re", "turn", " x"}) == Given{"", "0: 1:urn", "2: x", ""});
    CHECK(feed(make({}, 2), {"re", "turn"}) == Given{"0:", "1:turn", ""});
    // Stop strings are looked for in what is shown.
    CHECK(feed(make({"ret", "tu"}, 3), {"ret", "tu"}) == Given{"0:", ""});
    // Nothing of a text that never got so far.
    CHECK(feed(make({}, 9), {"re", "turn"}) == Given{"", "", ""});
  }

  TEST_CASE("any text in any tokens ends where the whole text does") {
    std::mt19937 random(7);
    const std::vector<std::string> stops = {"aab", "ba", "cc"};
    int n_stopped = 0;
    for (int round = 0; round < 3000; ++round) {
      std::string whole;
      for (std::size_t i = random() % 24; i > 0; --i)
        whole += "abcd"[random() % 4];
      // The reference: by characters, the first end of a stop string.
      std::size_t cut = std::string::npos;
      for (std::size_t end = 1; end <= whole.size() && cut == std::string::npos; ++end) {
        for (const std::string& stop : stops) {
          if (whole.substr(0, end).ends_with(stop)) cut = std::min(cut, end - stop.size());
        }
      }
      OutputText text = make(stops);
      std::string given;
      bool stopped = false;
      TokenId last = -1;
      for (std::size_t at = 0; at < whole.size() && !stopped;) {
        const std::size_t n = 1 + random() % 3;
        stopped = text.add(static_cast<TokenId>(at), whole.substr(at, n));
        at += n;
        OutputText::Piece piece;
        while (text.next(piece)) {
          CHECK(piece.token > last);
          last = piece.token;
          CHECK(piece.token == static_cast<TokenId>(given.size()));
          given += piece.bytes;
        }
      }
      text.finish();
      OutputText::Piece piece;
      while (text.next(piece))
        given += piece.bytes;
      n_stopped += stopped;
      CHECK(stopped == (cut != std::string::npos));
      // A token can complete two stop strings; the earliest place counts, and it is no later.
      if (stopped) {
        CHECK(given == whole.substr(0, given.size()));
        CHECK(given.size() <= cut);
        for (const std::string& stop : stops)
          CHECK(given.find(stop) == std::string::npos);
      } else {
        CHECK(given == whole);
      }
    }
    CHECK(n_stopped > 1000);
  }

  TEST_CASE("stop strings that make no sense are refused") {
    const auto error = [](std::vector<std::string> stops) {
      const auto text = OutputText::create(std::move(stops));
      REQUIRE(!text.has_value());
      CHECK(text.error().code == ErrorCode::kInvalidArgument);
      return text.error().message;
    };
    CHECK(error({"a", ""}) == "a stop string is empty");
    CHECK(error({std::string(1025, 'x')}).find("1025 bytes") != std::string::npos);
    CHECK(error(std::vector<std::string>(65, "x")).find("65 stop strings") == 0);
  }
}

}  // namespace kinglet::test
