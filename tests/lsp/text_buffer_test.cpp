#include "lsp/text_buffer.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/lsp/naive_text.h"

namespace kinglet::lsp {
namespace {

using test::NaiveText;

constexpr PositionEncoding kEncodings[] = {
    PositionEncoding::kUtf8, PositionEncoding::kUtf16, PositionEncoding::kUtf32};

std::vector<std::string> lines(const TextBuffer& text) {
  std::vector<std::string> lines;
  for (std::uint32_t i = 0; i < text.n_lines(); ++i)
    lines.emplace_back(text.line(i).of(text.text()));
  return lines;
}

std::uint32_t offset_in(const char* text, Position position, PositionEncoding encoding) {
  return value(*TextBuffer(text).offset(position, encoding));
}

}  // namespace

TEST_SUITE("lsp/text_buffer") {
  TEST_CASE("lines end with LF, CRLF or CR") {
    CHECK(lines(TextBuffer("")) == std::vector<std::string>{""});
    CHECK(lines(TextBuffer("a\nb\r\nc\rd")) == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK(lines(TextBuffer("a\n")) == std::vector<std::string>{"a", ""});
    CHECK(lines(TextBuffer("\n\r\r\n\r")) == std::vector<std::string>{"", "", "", "", ""});
  }

  TEST_CASE("columns count the negotiated units") {
    const char* text = "aé😀z";  // bytes 0, 1, 3, 7; UTF-16 units 0, 1, 2, 4; characters 0 to 3
    CHECK(offset_in(text, {0, 7}, PositionEncoding::kUtf8) == 7);
    CHECK(offset_in(text, {0, 4}, PositionEncoding::kUtf16) == 7);
    CHECK(offset_in(text, {0, 3}, PositionEncoding::kUtf32) == 7);
    CHECK(TextBuffer(text).position(ByteOffset{7}, PositionEncoding::kUtf16) == Position{0, 4});
  }

  TEST_CASE("a column inside a character means its start") {
    CHECK(offset_in("aé😀z", {0, 2}, PositionEncoding::kUtf8) == 1);
    CHECK(offset_in("aé😀z", {0, 6}, PositionEncoding::kUtf8) == 3);
    CHECK(offset_in("aé😀z", {0, 3}, PositionEncoding::kUtf16) == 3);
    CHECK(TextBuffer("a😀").position(ByteOffset{3}, PositionEncoding::kUtf16) == Position{0, 1});
    CHECK(!TextBuffer("a😀").is_boundary(ByteOffset{3}));
    CHECK(TextBuffer("a😀").is_boundary(ByteOffset{5}));
    CHECK(!TextBuffer("a").is_boundary(ByteOffset{2}));
  }

  TEST_CASE("a column past the line's end means its end, before the line end's bytes") {
    for (const auto encoding : kEncodings) {
      CHECK(offset_in("ab\r\ncd", {0, 3}, encoding) == 2);
      CHECK(offset_in("ab\rcd", {0, 4294967295U}, encoding) == 2);
      CHECK(offset_in("ab\r\ncd", {1, 99}, encoding) == 6);
      CHECK(offset_in("", {0, 1}, encoding) == 0);
    }
  }

  TEST_CASE("a line past the end is an error that says so") {
    const auto offset = TextBuffer("a\nb").offset({2, 0}, PositionEncoding::kUtf16);
    REQUIRE(!offset);
    CHECK(offset.error().code == ErrorCode::kInvalidArgument);
    CHECK(offset.error().message == "line 2 is past the document's end (2 lines, counted from 0)");
    CHECK(TextBuffer("a\nb").position(ByteOffset{99}, PositionEncoding::kUtf16) == Position{1, 1});
  }

  TEST_CASE("an edit between CR and LF moves the line end") {
    TextBuffer text("a\r\nb");
    text.replace({2, 2}, "x");
    CHECK(lines(text) == std::vector<std::string>{"a", "x", "b"});
    text.replace({2, 3}, "");
    CHECK(lines(text) == std::vector<std::string>{"a", "b"});
    text.replace({1, 2}, "");
    CHECK(lines(text) == std::vector<std::string>{"a", "b"});
    text.replace({1, 1}, "\r");
    CHECK(lines(text) == std::vector<std::string>{"a", "b"});
  }

  TEST_CASE("bytes that are not UTF-8 count one by one and nothing is read outside") {
    for (const char* text : {"\x80", "\xC3", "\xF0\x9F\x98", "\xFFz\x80\x80", "a\xED\xA0\x80"}) {
      const TextBuffer buffer{std::string(text)};
      for (const auto encoding : kEncodings) {
        for (std::uint32_t at = 0; at <= buffer.n_bytes() + 2; ++at) {
          const Position position = buffer.position(ByteOffset{at}, encoding);
          CHECK(value(*buffer.offset(position, encoding)) <= buffer.n_bytes());
        }
      }
    }
  }

  TEST_CASE("random edits agree with a naive text in every encoding") {
    std::mt19937 random(7);
    int n_edits = 0;
    for (int script = 0; script < 150; ++script) {
      const auto encoding = kEncodings[script % 3];
      NaiveText naive(test::random_text(random, 60));
      TextBuffer text(naive.utf8());
      for (int step = 0; step < 150; ++step, ++n_edits) {
        Position start = naive.random_position(random, encoding);
        Position end = naive.random_position(random, encoding);
        if (end < start) std::swap(start, end);
        const std::size_t n_inserted = naive.size() > 120 ? 2 : 12;
        const std::u32string inserted = test::random_text(random, n_inserted);
        const auto begin_offset = text.offset(start, encoding);
        const auto end_offset = text.offset(end, encoding);
        REQUIRE(begin_offset);
        REQUIRE(end_offset);
        // Clamped columns can put the end before the start only where both are the same place.
        REQUIRE(value(*begin_offset) <= value(*end_offset));
        naive.replace(start, end, encoding, inserted);
        text.replace({value(*begin_offset), value(*end_offset)}, test::to_utf8(inserted));
        REQUIRE(text.text() == naive.utf8());
        REQUIRE(text.n_lines() == naive.n_lines());
        // An edit's table must be the one a fresh buffer has.
        const TextBuffer fresh{std::string(text.text())};
        REQUIRE(lines(text) == lines(fresh));
        const Position probe = naive.random_position(random, encoding);
        const ByteOffset offset = *text.offset(probe, encoding);
        REQUIRE(value(offset) == naive.byte_offset(probe, encoding));
        REQUIRE(text.position(offset, encoding) == naive.snapped(probe, encoding));
        REQUIRE(text.is_boundary(offset));
      }
    }
    CHECK(n_edits >= 20'000);
  }
}

}  // namespace kinglet::lsp
