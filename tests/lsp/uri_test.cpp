#include "lsp/uri.h"

#include <doctest/doctest.h>

#include <string>

namespace kinglet::lsp {
namespace {

std::string path_of(const std::string& uri) {
  const auto path = path_from_uri(uri);
  return path ? *path : "error: " + path.error().message;
}

}  // namespace

TEST_SUITE("lsp/uri") {
  TEST_CASE("paths come out of file URIs") {
    CHECK(path_of("file:///a/b.c") == "/a/b.c");
    CHECK(path_of("file:/a") == "/a");
    CHECK(path_of("FILE://localhost/a") == "/a");
    CHECK(path_of("file:///a%20b/%C3%A9%c3%a9%25") == "/a b/éé%");
    CHECK(path_of("file:///a?query#fragment") == "/a");
    CHECK(path_of("file:///%41") == "/A");
  }

  TEST_CASE("what is no file of this machine is refused") {
    CHECK(path_of("untitled:Untitled-1") ==
          "error: URI \"untitled:Untitled-1\" names no file: only file: URIs are read");
    CHECK(path_of("file://server/share") ==
          "error: URI \"file://server/share\" names a file on another host");
    CHECK(path_of("file:") == "error: URI \"file:\" is not an absolute path");
    CHECK(path_of("file:a/b") == "error: URI \"file:a/b\" is not an absolute path");
    CHECK(path_of("file:///a%0") == "error: URI \"file:///a%0\" has a broken % escape");
    CHECK(path_of("file:///a%") == "error: URI \"file:///a%\" has a broken % escape");
    CHECK(path_of("file:///a%zz") == "error: URI \"file:///a%zz\" has a broken % escape");
    CHECK(path_of("file:///a%00b") == "error: URI \"file:///a%00b\" holds a NUL byte");
    CHECK(path_of("") == "error: URI \"\" names no file: only file: URIs are read");
  }

  TEST_CASE("any path survives the way out and back") {
    CHECK(uri_from_path("/a b/é.c") == "file:///a%20b/%C3%A9.c");
    std::string all = "/";
    for (int byte = 1; byte < 256; ++byte)
      all += static_cast<char>(byte);
    CHECK(path_of(uri_from_path(all)) == all);
  }
}

}  // namespace kinglet::lsp
