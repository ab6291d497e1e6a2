#include "daemon/processes/handshake.h"

#include <doctest/doctest.h>

namespace kinglet::daemon {

TEST_SUITE("daemon/processes/handshake") {
  TEST_CASE("lines come out as they went in") {
    const Hello hello{.protocol = 1,
                      .version = "1.2.3",
                      .purpose = Purpose::kStop,
                      .settings = R"({"model": "/a b.gguf"})"};
    const std::string line = write_hello(hello);
    CHECK(line == "KINGLET 1 1.2.3 stop {\"model\": \"/a b.gguf\"}\n");
    const auto read = read_hello(line.substr(0, line.size() - 1));
    REQUIRE(read);
    CHECK(read->version == "1.2.3");
    CHECK(read->purpose == Purpose::kStop);
    CHECK(read->settings == hello.settings);
    CHECK(write_welcome({.protocol = 1, .version = "1.2.3"}) == "KINGLET 1 1.2.3\n");
    CHECK(read_welcome("KINGLET 7 2.0.0")->protocol == 7);
  }

  TEST_CASE("anything else is refused") {
    for (const char* line : {"",
                             "GET / HTTP/1.1",
                             "KINGLET",
                             "KINGLET x 1.0.0 lsp",
                             "KINGLET -1 1.0.0 lsp",
                             "KINGLET 1  lsp",
                             "KINGLET 1 1.0.0 fly",
                             "KINGLET 99999999999 1.0.0 lsp"}) {
      INFO(line);
      CHECK(!read_hello(line));
    }
    CHECK(read_hello("KINGLET 1 1.0.0 lsp")->settings == "{}");
  }

  TEST_CASE("versions compare by number") {
    CHECK(is_newer("0.10.0", "0.9.9"));
    CHECK(is_newer("1.0.0", "0.99.99"));
    CHECK(!is_newer("0.1.0", "0.1.0"));
    CHECK(!is_newer("0.1.0", "0.1.1"));
    CHECK(is_newer("0.0.1", "unknown"));
    CHECK(!is_newer("unknown", "0.0.1"));
  }
}

}  // namespace kinglet::daemon
