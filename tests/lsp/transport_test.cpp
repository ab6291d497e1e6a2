#include "lsp/transport.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace kinglet::lsp {
namespace {

// What comes out, one line per frame: "BODY" or "error".
std::vector<std::string> outcome(std::string_view bytes, std::size_t piece) {
  FrameReader reader;
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    for (const Frame& frame : reader.feed(bytes.substr(at, piece))) {
      out.push_back(frame ? *frame : "error");
    }
  }
  if (reader.finish()) out.emplace_back("truncated");
  return out;
}

using Lines = std::vector<std::string>;

// The same whatever the pieces.
Lines frames(const std::string& bytes) {
  const Lines whole = outcome(bytes, bytes.size() + 1);
  for (const std::size_t piece : {1, 2, 3, 5, 17}) {
    CAPTURE(piece);
    CHECK(outcome(bytes, piece) == whole);
  }
  return whole;
}

std::string error_of(const std::string& bytes) {
  FrameReader reader;
  for (const Frame& frame : reader.feed(bytes)) {
    if (!frame) return frame.error().message;
  }
  return "no error";
}

const std::string kGood = write_frame("{}");

}  // namespace

TEST_SUITE("lsp/transport") {
  TEST_CASE("a written frame reads back") {
    CHECK(write_frame("{}") == "Content-Length: 2\r\n\r\n{}");
    CHECK(frames(write_frame("{\"a\":\"\xF0\x9F\x98\x80\"}") + write_frame("[]")) ==
          Lines{"{\"a\":\"\xF0\x9F\x98\x80\"}", "[]"});
    CHECK(frames("") == Lines{});
    CHECK(frames(write_frame("")) == Lines{""});
  }

  TEST_CASE("headers are read in any case and order, with LF or CRLF") {
    CHECK(frames("CONTENT-LENGTH:2\r\n\r\n{}") == Lines{"{}"});
    CHECK(frames("Content-Type: application/vscode-jsonrpc\r\nContent-Length: \t2 \r\n\r\n{}") ==
          Lines{"{}"});
    CHECK(frames("Content-Length: 2\nX-Other: 1\n\n{}") == Lines{"{}"});
    CHECK(frames("\r\n\n" + kGood) == Lines{"{}"});
  }

  TEST_CASE("a bad header costs one error, not the message behind it") {
    CHECK(frames("Content-Length: -2\r\n\r\n{}" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 2x\r\n\r\n{}" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length:\r\n\r\n{}" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 67108865\r\n\r\n" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 36893488147419103234\r\n\r\n{}" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Type: x\r\n\r\n{}" + kGood) == Lines{"error", "{}"});
    CHECK(frames("junk\r\n" + kGood) == Lines{"error", "{}"});
    CHECK(frames("junk: and so on " + kGood) == Lines{"error", "{}"});
    CHECK(frames(std::string("\0\xff\x80\n", 4) + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 2\r\njunk\r\n" + kGood) == Lines{"error", "{}"});
    CHECK(frames("ConContent-Content-Length: CContent-Length: 2\r\n\r\n{}") ==
          Lines{"error", "{}"});
  }

  TEST_CASE("of two lengths the second is believed, as the header of a message cut short") {
    CHECK(frames("Content-Length: 5\r\nContent-Length: 2\r\n\r\n{}") == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + kGood) ==
          Lines{"error", "{}", "{}"});
  }

  TEST_CASE("a body shorter than announced does not swallow the next message") {
    CHECK(frames("Content-Length: 1000\r\n\r\n{\"a\":" + kGood) == Lines{"error", "{}"});
    CHECK(frames("Content-Length: 12\r\n\r\n{}" + kGood) != Lines{"{}"});
    // The words alone are content, as in the source of an HTTP library.
    const std::string body = R"({"text":"Content-Length: 5\r\n\r\n content-length: 9"})";
    CHECK(frames(write_frame(body) + kGood) == Lines{body, "{}"});
  }

  TEST_CASE("a body too large is skipped") {
    const std::string body(100'000, 'c');
    const std::string bytes = "Content-Length: 67108865\r\n\r\n" + body + kGood;
    CHECK(outcome(bytes, 4096) == Lines{"error", "{}"});
  }

  TEST_CASE("a header without end is given up") {
    CHECK(outcome(std::string(10'000, 'x') + "\n" + kGood, 100) == Lines{"error", "{}"});
    CHECK(outcome(std::string(10'000, 'x'), 100) == Lines{"error"});
    std::string many;
    for (int i = 0; i < 1000; ++i)
      many += "X-Header: " + std::to_string(i) + "\r\n";
    CHECK(outcome(many + kGood, 100) == Lines{"error", "{}"});
    // Digits without end are no header either.
    CHECK(outcome("junk\nContent-Length: " + std::string(20'000, '0') + kGood, 100) ==
          Lines{"error", "{}"});
  }

  TEST_CASE("the end inside a message is noticed") {
    CHECK(frames("Content-Le") == Lines{"truncated"});
    CHECK(frames("Content-Length: 5\r\n\r\n{}") == Lines{"truncated"});
    CHECK(frames(kGood) == Lines{"{}"});
  }

  TEST_CASE("memory follows the bytes that came") {
    FrameReader reader;
    // The largest length allowed: nothing is set aside for it, so a thousand such readers are
    // cheap.
    std::vector<FrameReader> readers(1000);
    for (FrameReader& each : readers) {
      CHECK(each.feed("Content-Length: 67108864\r\n\r\n{").empty());
    }
  }

  TEST_CASE("a flood of tiny frames costs its length, not its square") {
    FrameReader reader;
    std::string flood;
    for (int i = 0; i < 100'000; ++i)
      flood += kGood;
    CHECK(reader.feed(flood).size() == 100'000);
    CHECK(reader.feed(std::string(1'000'000, '\n')).empty());
  }

  TEST_CASE("errors say what is wrong") {
    CHECK(error_of("Content-Length: -2\r\n\r\n") ==
          "malformed message: Content-Length is not a number from 0 to 67108864; skipped to the "
          "next header");
    CHECK(error_of("Content-Length: 90\r\n\r\n{\"a\"" + kGood) ==
          "malformed message: 90 bytes announced, 4 came before the next header");
  }
}

}  // namespace kinglet::lsp
