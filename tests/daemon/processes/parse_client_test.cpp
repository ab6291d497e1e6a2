// Against worker_double: a parse worker that dies, hangs and lies on demand.
#include "daemon/processes/parse_client.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

struct Answer {
  int n_replies = 0;
  std::optional<Result<wire::Parsed>> result;
  std::stop_source stop;

  ErrorCode code() const { return result->error().code; }
};

class Fixture {
 public:
  explicit Fixture(std::size_t n_workers = 1,
                   std::chrono::milliseconds file_deadline = std::chrono::milliseconds(500))
      : client(io.get_executor(),
               {.spawn = {.program = WORKER_DOUBLE, .arguments = {}},
                .n_workers = n_workers,
                .memory_limit = std::uint64_t{512} << 20,
                .file_deadline = file_deadline}) {}

  std::shared_ptr<Answer> begin(const std::string& text, Urgency urgency = Urgency::kBackground) {
    auto answer = std::make_shared<Answer>();
    client.parse({.root = "/", .path = "file", .text = text, .max_file_bytes = 0},
                 urgency,
                 answer->stop.get_token(),
                 [answer, this](Result<wire::Parsed> result) {
                   ++answer->n_replies;
                   answer->result = std::move(result);
                   order.push_back(answer.get());
                 });
    return answer;
  }

  template <class Condition>
  void run_until(Condition condition) {
    io.restart();
    while (!condition()) {
      REQUIRE(io.run_one_for(std::chrono::seconds(60)) == 1);
    }
  }

  std::shared_ptr<Answer> run(const std::string& text) {
    auto answer = begin(text);
    run_until([&] { return answer->n_replies > 0; });
    return answer;
  }

  boost::asio::io_context io{1};
  ParseClient client;
  std::vector<const Answer*> order;
};

}  // namespace

TEST_SUITE("daemon/processes/parse_client") {
  TEST_CASE("a file's record comes back, and one worker serves many") {
    Fixture fixture;
    const auto first = fixture.run("x");
    REQUIRE(*first->result);
    const std::string record = (*first->result)->record;
    CHECK(record.starts_with("record of x by "));
    const auto second = fixture.run("y");
    CHECK((*second->result)->record == "record of y" + record.substr(record.find(" by ")));
    CHECK(fixture.client.status().pids.size() == 1);
  }

  TEST_CASE("a worker that dies is replaced, and the request tried once more in silence") {
    const test::TemporaryFolder folder;
    Fixture fixture;
    const auto answer = fixture.run("once " + (folder / "mark").string());
    CHECK(answer->n_replies == 1);
    CHECK(*answer->result);
    CHECK(fixture.client.status().n_deaths == 1);
    CHECK(fixture.client.status().n_quarantined == 0);
  }

  TEST_CASE("content that killed two workers kills no third") {
    Fixture fixture;
    const auto deadly = fixture.run("die");
    CHECK(deadly->n_replies == 1);
    CHECK(deadly->code() == ErrorCode::kUnavailable);
    CHECK(fixture.client.status().n_deaths == 2);
    CHECK(fixture.client.status().n_quarantined == 1);
    for (int i = 0; i < 3; ++i)
      CHECK(fixture.run("die")->code() == ErrorCode::kUnsupported);
    CHECK(*fixture.run("x")->result);
    CHECK(fixture.client.status().n_deaths == 2);
  }

  TEST_CASE("a worker that hangs is ended at its deadline") {
    Fixture fixture;
    const auto hanging = fixture.begin("hang");
    const auto next = fixture.begin("x");
    fixture.run_until([&] { return next->n_replies > 0; });
    CHECK(hanging->code() == ErrorCode::kUnavailable);
    CHECK(hanging->result->error().message.find("It took too long.") != std::string::npos);
    CHECK(*next->result);
  }

  TEST_CASE("a worker that takes too much memory is ended") {
    Fixture fixture(1, std::chrono::minutes(1));
    const auto greedy = fixture.run("grow");
    CHECK(greedy->code() == ErrorCode::kUnavailable);
    CHECK(greedy->result->error().message.find("512 MiB") != std::string::npos);
    CHECK(greedy->result->error().message.find("memoryLimit") != std::string::npos);
    CHECK(fixture.client.status().n_quarantined == 1);
    CHECK(*fixture.run("x")->result);
  }

  TEST_CASE("requests about one document go to the same worker") {
    Fixture fixture(2);
    const auto ask = [&](std::uint64_t document) {
      std::optional<Result<wire::Parsed>> parsed;
      fixture.client.parse({.root = "/",
                            .path = "file",
                            .text = "x",
                            .max_file_bytes = 0,
                            .known_hash = {},
                            .document = document},
                           Urgency::kInteractive,
                           {},
                           [&](Result<wire::Parsed> result) { parsed = std::move(result); });
      fixture.run_until([&] { return parsed.has_value(); });
      REQUIRE(*parsed);
      return (*parsed)->record;
    };
    const std::string seven = ask(7);
    const std::string eight = ask(8);
    CHECK(seven != eight);
    for (int i = 0; i < 3; ++i) {
      CHECK(ask(7) == seven);
      CHECK(ask(8) == eight);
    }
  }

  TEST_CASE("cancelling answers at once, and frees the worker") {
    Fixture fixture;
    const auto running = fixture.begin("wait");
    const auto waiting = fixture.begin("x");
    fixture.run_until([&] { return fixture.client.status().pids.size() == 1; });
    waiting->stop.request_stop();
    running->stop.request_stop();
    fixture.run_until([&] { return running->n_replies + waiting->n_replies == 2; });
    CHECK(running->code() == ErrorCode::kCancelled);
    CHECK(waiting->code() == ErrorCode::kCancelled);
    CHECK(*fixture.run("y")->result);
    CHECK(fixture.client.status().n_deaths == 0);
  }

  TEST_CASE("what somebody waits for goes first") {
    Fixture fixture;
    fixture.run("x");
    fixture.order.clear();
    const auto first = fixture.begin("1");
    const auto second = fixture.begin("2");
    const auto urgent = fixture.begin("3", Urgency::kInteractive);
    fixture.run_until([&] { return fixture.order.size() == 3; });
    CHECK(fixture.order == std::vector<const Answer*>{urgent.get(), first.get(), second.get()});
  }

  TEST_CASE("several workers share the work") {
    Fixture fixture(2);
    const auto waiting = fixture.begin("wait");
    CHECK(*fixture.run("x")->result);
    CHECK(waiting->n_replies == 0);
    CHECK(fixture.client.status().pids.size() == 2);
  }

  TEST_CASE("a scan whose worker dies begins anew: nothing is found twice") {
    const test::TemporaryFolder folder;
    Fixture fixture;
    std::optional<Result<FoundFiles>> found;
    wire::Scan scan;
    scan.root = folder / "root";
    fixture.client.scan(scan, {}, [&](Result<FoundFiles> result) { found = std::move(result); });
    fixture.run_until([&] { return found.has_value(); });
    REQUIRE(*found);
    std::string paths;
    for (const auto& file : (*found)->files)
      paths += file.path;
    CHECK(paths == "abc");
    CHECK(fixture.client.status().n_deaths == 1);
  }

  TEST_CASE("workers that do not start are an error, not a loop") {
    boost::asio::io_context io;
    ParseClient client(io.get_executor(), {.spawn = {.program = "/bin/false", .arguments = {}}});
    int n_errors = 0;
    for (int i = 0; i < 100; ++i) {
      client.parse({.root = "/", .path = "file", .text = std::to_string(i), .max_file_bytes = 0},
                   Urgency::kBackground,
                   {},
                   [&](const auto& result) { n_errors += result ? 0 : 1; });
    }
    io.run_for(std::chrono::seconds(60));
    CHECK(n_errors == 100);
    CHECK(client.status().n_deaths < 20);
  }
}

}  // namespace kinglet::daemon
