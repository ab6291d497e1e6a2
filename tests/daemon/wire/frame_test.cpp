#include "daemon/wire/frame.h"

#include <random>

#include <doctest/doctest.h>

namespace kinglet::daemon::wire {
namespace {

constexpr auto kType = static_cast<MessageType>(7);

std::string good_frame(std::string body = "body") {
  return encode_frame({.type = kType, .request = 0x0102030405060708, .body = std::move(body)});
}

Result<std::optional<Frame>> read_one(std::string_view bytes) {
  FrameReader reader;
  reader.feed(bytes);
  return reader.next();
}

}  // namespace

TEST_SUITE("daemon/wire/frame") {
  TEST_CASE("the header's layout is fixed") {
    CHECK(good_frame("xy") ==
          std::string("KNGL\x06\0\x07\0\x08\x07\x06\x05\x04\x03\x02\x01\x02\0\0\0xy", 22));
  }

  TEST_CASE("frames come out as they went in, whatever the pieces") {
    const std::string bytes =
        good_frame("one") + good_frame("") + good_frame(std::string(5000, 'z'));
    for (const std::size_t piece : {1, 3, 19, 20, 21, 4096}) {
      FrameReader reader;
      std::vector<std::string> bodies;
      for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(std::string_view(bytes).substr(at, piece));
        for (;;) {
          auto frame = reader.next();
          REQUIRE(frame);
          if (!*frame) break;
          CHECK((*frame)->type == kType);
          CHECK((*frame)->request == 0x0102030405060708);
          bodies.push_back((*frame)->body);
        }
      }
      CHECK(bodies == std::vector<std::string>{"one", "", std::string(5000, 'z')});
    }
  }

  TEST_CASE("another magic, version or an immense length ends the stream for good") {
    std::string bytes = good_frame();
    ErrorCode expected = ErrorCode::kCorrupt;
    SUBCASE("magic") {
      bytes[0] = 'X';
    }
    SUBCASE("version") {
      ++bytes[4];
      expected = ErrorCode::kUnsupported;
    }
    SUBCASE("length") {
      bytes[19] = '\x7f';
    }
    FrameReader reader;
    reader.feed(bytes);
    for (int i = 0; i < 2; ++i) {
      const auto frame = reader.next();
      REQUIRE(!frame);
      CHECK(frame.error().code == expected);
      reader.feed(good_frame());
    }
  }

  TEST_CASE("a frame cut anywhere is waited for") {
    const std::string bytes = good_frame();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto frame = read_one(std::string_view(bytes).substr(0, n));
      REQUIRE(frame);
      CHECK(!*frame);
    }
  }

  TEST_CASE("random bytes are refused or waited for, never believed") {
    std::mt19937 random(1);
    for (int i = 0; i < 10'000; ++i) {
      std::string bytes = good_frame();
      bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
      const auto frame = read_one(bytes);
      if (frame && *frame) CHECK((*frame)->body.size() <= bytes.size() - kHeaderBytes);
    }
  }
}

}  // namespace kinglet::daemon::wire
