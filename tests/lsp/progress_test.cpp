#include "lsp/progress.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "lsp/transport.h"

namespace kinglet::lsp {
namespace {

// A client that has been asked for a bar, and what it sees of it.
struct Harness {
  std::vector<Json> sent;
  Server server;
  std::optional<WorkDoneProgress> progress;

  explicit Harness(bool is_capable = true)
      : server({.send =
                    [this](const std::string& frame) {
                      FrameReader reader;
                      sent.push_back(*parse_json(*reader.feed(frame).at(0)));
                    },
                .log = {}}) {
    ClientCapabilities capabilities;
    capabilities.workDoneProgress = is_capable;
    progress.emplace(server.client(), capabilities, "Indexing");
  }

  void agree() { answer("result", nullptr); }
  void refuse() { answer("error", {{"code", -1}, {"message", "no"}}); }
  void answer(const char* outcome, const Json& value) {
    const Json message = {{"jsonrpc", "2.0"}, {"id", sent.at(0).at("id")}, {outcome, value}};
    server.feed(write_frame(to_text(message)));
  }

  std::vector<std::string> values() const {
    std::vector<std::string> values;
    for (const Json& message : sent) {
      if (message["method"] == "$/progress") values.push_back(to_text(message["params"]["value"]));
    }
    return values;
  }
};

using Lines = std::vector<std::string>;
const std::string kEnd = R"({"kind":"end"})";

}  // namespace

TEST_SUITE("lsp/progress") {
  TEST_CASE("a bar begins, moves and ends under one token") {
    Harness harness;
    REQUIRE(harness.sent.size() == 1);
    CHECK(harness.sent[0]["method"] == "window/workDoneProgress/create");
    harness.agree();
    harness.progress->report("10 of 20 files", 50);
    harness.progress->report("10 of 20 files", 50);
    harness.progress->end("done");
    harness.progress->report("late");
    harness.progress.reset();
    CHECK(harness.values() ==
          Lines{R"({"cancellable":false,"kind":"begin","title":"Indexing"})",
                R"({"kind":"report","message":"10 of 20 files","percentage":50})",
                R"({"kind":"end","message":"done"})"});
    for (const Json& message : harness.sent) {
      CHECK(message["params"]["token"] == harness.sent[0]["params"]["token"]);
    }
  }

  TEST_CASE("what happens before the client agreed is shown at once when it does") {
    Harness harness;
    harness.progress->report("1 of 20 files", 5);
    harness.progress->report("2 of 20 files", 10);
    CHECK(harness.values().empty());
    harness.agree();
    harness.progress.reset();
    CHECK(harness.values() ==
          Lines{R"({"cancellable":false,"kind":"begin","message":"2 of 20 files",)"
                R"("percentage":10,"title":"Indexing"})",
                kEnd});
  }

  TEST_CASE("nothing is shown to a client that refuses, comes late or cannot") {
    Harness refusing;
    refusing.refuse();
    refusing.progress->report("x");
    refusing.progress.reset();
    CHECK(refusing.values().empty());

    Harness late;
    late.progress.reset();
    late.agree();
    CHECK(late.values().empty());

    Harness incapable(false);
    incapable.progress->report("x");
    incapable.progress->end();
    CHECK(incapable.sent.empty());
  }

  TEST_CASE("assigning a new bar ends the old one") {
    Harness harness;
    harness.agree();
    harness.progress = WorkDoneProgress(harness.server.client(), {}, "none");
    CHECK(harness.values().back() == kEnd);
  }
}

}  // namespace kinglet::lsp
