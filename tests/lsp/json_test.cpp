#include "lsp/json.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::lsp {
namespace {

struct Inner {
  std::uint32_t count = 7;
};
Result<void> read(const Field& field, Inner& out) {
  return field.require("count", out.count);
}

struct Outer {
  std::string name;
  std::optional<Inner> maybe;
  std::vector<Inner> list;
  bool flag = true;
};
Result<void> read(const Field& field, Outer& out) {
  TRY(field.require("name", out.name));
  TRY(field.optional("maybe", out.maybe));
  TRY(field.optional("list", out.list));
  return field.optional("flag", out.flag);
}

std::string error_of(std::string_view text) {
  const auto json = parse_json(text);
  REQUIRE(json);
  const auto outer = read_json<Outer>(*json, "params");
  return outer ? "fine" : outer.error().message;
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

}  // namespace

TEST_SUITE("lsp/json") {
  TEST_CASE("errors name the member") {
    CHECK(error_of(R"({"name":"n","list":[{"count":1},{"count":2.0}]})") == "fine");
    CHECK(error_of(R"({})") == "params.name: missing");
    CHECK(error_of(R"({"name":null})") == "params.name: expected a string, got null");
    CHECK(error_of(R"({"name":"n","list":[{"count":1},{"count":-2}]})") ==
          "params.list[1].count: negative");
    CHECK(error_of(R"({"name":"n","maybe":{"count":1.5}})") ==
          "params.maybe.count: expected a whole number, got a number");
    CHECK(error_of(R"({"name":"n","maybe":[1]})") ==
          "params.maybe: expected an object, got an array");
    CHECK(error_of(R"({"name":"n","flag":0})") == "params.flag: expected a boolean, got a number");
    CHECK(error_of(R"("x")") == "params: expected an object, got a string");
  }

  TEST_CASE("what clients write in many ways is read in all of them") {
    CHECK(error_of(R"({"name":"n","maybe":null,"list":null,"flag":null,"unknown":[]})") == "fine");
    CHECK(error_of(R"({"name":"n","list":{}})") == "fine");  // an empty Lua table
    CHECK(error_of(R"([])") == "params.name: missing");      // the other way round
    CHECK(error_of(R"({"name":"n","list":{"0":{}}})") ==
          "params.list: expected an array, got an object");
  }

  TEST_CASE("numbers too large for a position saturate, all others fail") {
    const auto read_u32 = [](const char* text) {
      return read_json<std::uint32_t>(*parse_json(text), "n");
    };
    CHECK(read_u32("4294967295") == std::numeric_limits<std::uint32_t>::max());
    CHECK(read_u32("9007199254740991") == std::numeric_limits<std::uint32_t>::max());
    CHECK(read_u32("18446744073709551615") == std::numeric_limits<std::uint32_t>::max());
    CHECK(read_u32("1e300") == std::numeric_limits<std::uint32_t>::max());
    CHECK(!read_u32("-1e300"));
    CHECK(!read_u32("-9223372036854775808"));
    CHECK(!read_json<std::int32_t>(*parse_json("2147483648"), "n"));
    CHECK(read_json<std::int32_t>(*parse_json("-2147483648"), "n") ==
          std::numeric_limits<std::int32_t>::min());
  }

  TEST_CASE("malformed text is an error with a place, and does not repeat the text") {
    for (const char* text : {"", "{", "[1,]", "nul", "\"\xff\"", "{} {}", "1e999", "\"\\ud8\""}) {
      CAPTURE(text);
      const auto json = parse_json(text);
      REQUIRE(!json);
      CHECK(json.error().code == ErrorCode::kCorrupt);
    }
    CHECK(parse_json("[secret]").error().message == "not JSON: unexpected input at byte 2");
  }

  TEST_CASE("nesting is bounded") {
    CHECK(parse_json(nested(kMaxJsonDepth)));
    CHECK(!parse_json(nested(kMaxJsonDepth + 1)));
    CHECK(!parse_json(std::string(1'000'000, '[')));
    CHECK(parse_json("\"" + nested(1000) + "\""));          // in a string they are text
    CHECK(parse_json("\"\\\"" + nested(1000) + "\\\\\""));  // behind escapes, too
  }

  TEST_CASE("lone surrogates become one replacement character each") {
    CHECK(*parse_json(R"("a\ud83db")") == "a\uFFFDb");
    CHECK(*parse_json(R"("\ude00\ud83d\ude00\ud83d")") == "\uFFFD\U0001F600\uFFFD");
    CHECK(*parse_json(R"("\ud83d\ud83d\ude00")") == "\uFFFD\U0001F600");
    CHECK(*parse_json(R"("\\ud83d \ud83d")") == "\\ud83d \uFFFD");  // an escaped backslash first
    CHECK(*parse_json(R"("\ud83d\n\u00e9")") == "\uFFFD\n\u00e9");
  }

  TEST_CASE("bytes that are not UTF-8 are written as replacement characters") {
    CHECK(to_text(Json("a\xff z")) == "\"a\uFFFD z\"");
  }
}

}  // namespace kinglet::lsp
