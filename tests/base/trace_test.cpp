#include "daemon/base/trace.h"

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace kinglet::test {

namespace {

using trace::Clock;
using trace::Writer;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// As viewers read it: a list without its end.
nlohmann::json events_of(const std::filesystem::path& path) {
  std::string text = text_of(path);
  REQUIRE(text.ends_with(",\n"));
  text.replace(text.size() - 2, 1, "]");
  return nlohmann::json::parse(text);
}

std::map<std::string, nlohmann::json> spans_of(const nlohmann::json& events) {
  std::map<std::string, nlohmann::json> spans;
  for (const auto& event : events)
    if (event["ph"] == "X") spans[event["name"]] = event;
  return spans;
}

}  // namespace

TEST_SUITE("base/trace") {
  TEST_CASE("spans of threads and of named rows stand in one list, each on its row") {
    const TemporaryFolder folder;
    const auto path = folder / "trace.json";
    const Clock::time_point begin{std::chrono::nanoseconds(5'000'000'007)};
    {
      auto writer = Writer::open(path);
      REQUIRE(writer.has_value());
      (*writer)->write({}, "here", begin, std::chrono::microseconds(3));
      std::thread([&] {
        (*writer)->write({}, "there", begin, std::chrono::nanoseconds(1'050));
      }).join();
      (*writer)->write("GPU", "kernel", begin, std::chrono::seconds(2));
      (*writer)->write("GPU", "a \"name\"\n", begin, std::chrono::seconds(-1));
    }
    const nlohmann::json events = events_of(path);
    auto spans = spans_of(events);
    REQUIRE(spans.size() == 4);
    CHECK(spans["here"]["ts"] == 5'000'000.007);
    CHECK(spans["here"]["dur"] == 3.0);
    CHECK(spans["there"]["dur"] == 1.05);
    CHECK(spans["here"]["tid"] != spans["there"]["tid"]);
    CHECK(spans["kernel"]["dur"] == 2e6);
    CHECK(spans["kernel"]["tid"] == spans["a _name__"]["tid"]);
    CHECK(spans["a _name__"]["dur"] == 0.0);
    bool is_named = false;
    for (const auto& event : events) {
      if (event["name"] != "thread_name" || event["tid"] != spans["kernel"]["tid"]) continue;
      CHECK(event["args"]["name"] == "GPU");
      CHECK_FALSE(is_named);  // once
      is_named = true;
    }
    CHECK(is_named);
  }

  TEST_CASE("several processes write to one file") {
    const TemporaryFolder folder;
    const auto path = folder / "trace.json";
    for (const char* name : {"first", "second"}) {
      auto writer = Writer::open(path);
      REQUIRE(writer.has_value());
      (*writer)->write({}, name, Clock::now(), std::chrono::microseconds(3));
    }
    CHECK(spans_of(events_of(path)).size() == 2);
  }

  TEST_CASE("a file that is no trace is not touched") {
    const TemporaryFolder folder;
    const auto path = folder / "notes.txt";
    std::ofstream(path) << "dear diary";
    const auto writer = Writer::open(path);
    REQUIRE(!writer.has_value());
    CHECK(writer.error().message == path.string() + " is there and no trace; name a new file");
    CHECK(text_of(path) == "dear diary");
    CHECK_FALSE(Writer::open(folder / "missing" / "trace.json").has_value());
  }

  TEST_CASE("what was written stays when the process dies, but for the last moment") {
    const TemporaryFolder folder;
    const auto path = folder / "trace.json";
    auto writer = Writer::open(path);
    REQUIRE(writer.has_value());
    (*writer)->write({}, "early", Clock::now(), std::chrono::microseconds(3));
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    (*writer)->write({}, "late", Clock::now(), std::chrono::microseconds(3));
    CHECK(spans_of(events_of(path)).size() == 2);  // the writer is still open
  }

  TEST_CASE("without the variable nothing is recorded") {
    CHECK_FALSE(trace::enabled());
    const trace::Span span("nothing");
    trace::record("GPU", "nothing", Clock::now(), std::chrono::seconds(1));
  }
}

}  // namespace kinglet::test
