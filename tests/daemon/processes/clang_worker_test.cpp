// The real clang worker behind its client and the driver of a repository: hostile sources cost one
// worker each, twice, and nothing else.
#include "daemon/processes/clang_client.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include "daemon/semantics.h"
#include "indexer/clang/library.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
namespace clang = indexer::clang;

bool has_libclang() {
  static const bool kHas = clang::Library::load().has_value();
  return kHas;
}

#define REQUIRE_LIBCLANG() \
  if (!has_libclang()) SKIP("libclang is not installed")

std::string repeat(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i)
    all += text;
  return all;
}

/// A repository, a client with a real worker, and the loop that both run on.
class Fixture {
 public:
  explicit Fixture(ClangOptions options = {}) {
    fs::create_directories(root());
    for (const char* name :
         {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME"}) {
      ::setenv(name, (folder_ / name).c_str(), 1);
      fs::create_directory(folder_ / name);
      fs::permissions(folder_ / name, fs::perms::owner_all);
    }
    options.spawn.program = KINGLET_PROGRAM;
    options.spawn.arguments = {"clang-worker"};
    options.spawn.error_file = "/dev/null";
    client.emplace(io.get_executor(), options);
  }
  ~Fixture() { pool.join(); }

  fs::path root() const { return folder_ / "repo"; }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path, std::ios::binary) << text;
  }

  template <class Condition>
  void run_until(Condition condition) {
    io.restart();
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    const auto guard = boost::asio::make_work_guard(io);
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      io.run_one_for(std::chrono::milliseconds(100));
    }
  }

  Result<wire::ClangIndexed> index(const std::string& path) {
    std::optional<Result<wire::ClangIndexed>> answer;
    client->index({.root = root().string(),
                   .path = path,
                   .unsaved = {},
                   .header_bodies = wire::HeaderBodies::kOnce},
                  Urgency::kBackground,
                  {},
                  [&](Result<wire::ClangIndexed> result) { answer = std::move(result); });
    run_until([&] { return answer.has_value(); });
    return *std::move(answer);
  }

  std::shared_ptr<Semantics> semantics(ClangUse use = ClangUse::kAll) {
    return std::make_shared<Semantics>(
        root().string(), use, *client, io.get_executor(), pool.get_executor());
  }

  boost::asio::io_context io{1};
  boost::asio::thread_pool pool{1};
  std::optional<ClangClient> client;

 private:
  test::TemporaryFolder folder_;
};

std::string describe(const std::vector<clang::SemanticPlace>& places) {
  std::string text;
  for (const auto& place : places)
    text += place.path + ":" + std::to_string(place.range.begin) + " ";
  return text;
}

}  // namespace

TEST_SUITE("daemon/processes/clang_worker") {
  TEST_CASE("a file becomes a record") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    fixture.write("a.cc", "int f();\nint g() { return f(); }\n");
    const auto answer = fixture.index("a.cc");
    REQUIRE(answer);
    const auto record = clang::deserialize(answer->record);
    REQUIRE(record);
    CHECK(record->files.size() == 1);
    CHECK(answer->source == static_cast<std::uint8_t>(clang::CommandSource::kInferred));
  }

  TEST_CASE("a file that is not there is a plain error, and the worker lives on") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    const auto answer = fixture.index("none.cc");
    REQUIRE(!answer);
    CHECK(answer.error().code == ErrorCode::kNotFound);
    CHECK(fixture.client->status().n_deaths == 0);
  }

  TEST_CASE("deep sources cost at most two workers each, then are refused; others go on") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    fixture.write("good.cc", "int fine;\n");
    fixture.write(
        "chain.cc",
        "void f(int x) { if (x == 0) {}\n" + repeat("else if (x == 1) {}\n", 10'000) + "}\n");
    fixture.write("plus.cc", "int x = 1" + repeat(" + 1", 70'000) + ";\n");
    fixture.write("parens.c", "int x = " + repeat("(", 500'000) + repeat(")", 500'000) + ";\n");
    fixture.write("braces.cc", "int x[] = " + repeat("{", 300'000) + ";\n");
    std::size_t n_deaths = 0;
    for (const char* path : {"chain.cc", "plus.cc", "parens.c", "braces.cc"}) {
      INFO(path);
      const auto answer = fixture.index(path);
      const std::size_t n_died = fixture.client->status().n_deaths - n_deaths;
      n_deaths += n_died;
      MESSAGE(path, answer ? ": a record" : ": " + answer.error().message, ", deaths ", n_died);
      CHECK(n_died <= 2);
      if (n_died == 2) {
        const auto again = fixture.index(path);
        REQUIRE(!again);
        CHECK(again.error().message.find("ended two clang workers") != std::string::npos);
        CHECK(fixture.client->status().n_deaths == n_deaths);
      }
      CHECK(fixture.index("good.cc"));
    }
  }

  TEST_CASE("FIFOs and devices: seen before libclang, or ended by the deadline") {
    REQUIRE_LIBCLANG();
    Fixture fixture({.spawn = {}, .unit_deadline = std::chrono::milliseconds(3000)});
    fixture.write("good.cc", "int fine;\n");
    fixture.write("zero.cc", "#include \"/dev/zero\"\n");
    const auto zero = fixture.index("zero.cc");
    REQUIRE(!zero);
    CHECK(zero.error().code == ErrorCode::kUnsupported);
    CHECK(fixture.client->status().n_deaths == 0);
    // Hidden behind a macro, so that only the parser sees it.
    REQUIRE(::mkfifo((fixture.root() / "pipe.h").c_str(), 0600) == 0);
    fixture.write("fifo.cc", "#define NAME \"pipe.h\"\n#include NAME\n");
    const auto fifo = fixture.index("fifo.cc");
    REQUIRE(!fifo);
    CHECK(fifo.error().code == ErrorCode::kUnavailable);
    CHECK(fixture.client->status().n_deaths == 2);
    CHECK(fixture.client->status().n_quarantined == 1);
    CHECK(!fixture.index("fifo.cc"));
    CHECK(fixture.client->status().n_deaths == 2);
    CHECK(fixture.index("good.cc"));
  }

  TEST_CASE("flags of a hostile database do nothing") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    const std::string mark = (fixture.root() / "mark").string();
    fixture.write("a.cc", "int x = GIVEN;\n");
    fixture.write("compile_commands.json",
                  R"([{"directory": ")" + fixture.root().string() +
                      R"(", "file": "a.cc", "command": "$(touch )" + mark + ") `touch " + mark +
                      "` ; touch " + mark +
                      R"( ; c++ -fplugin=./evil.so -Xclang -load -Xclang ./evil.so -o )" + mark +
                      " -MD -MF " + mark + R"( -DGIVEN=1 @rsp -c a.cc"}])");
    const auto answer = fixture.index("a.cc");
    REQUIRE(answer);
    const auto record = clang::deserialize(answer->record);
    REQUIRE(record);
    CHECK(record->n_errors == 0);
    CHECK(!fs::exists(mark));
    CHECK(fixture.client->status().n_deaths == 0);
  }

  TEST_CASE("a worker without work ends, and the next request starts another") {
    REQUIRE_LIBCLANG();
    Fixture fixture({.spawn = {}, .idle_exit = std::chrono::milliseconds(50)});
    fixture.write("a.cc", "int x;\n");
    CHECK(fixture.index("a.cc"));
    fixture.run_until([&] { return fixture.client->status().pids.empty(); });
    CHECK(fixture.index("a.cc"));
    CHECK(fixture.client->status().n_deaths == 0);
  }

  TEST_CASE("a repository: units are parsed, and names lead from one to another") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    const std::string user = "#include \"lib.h\"\nint main() { return twice(1); }\n";
    fixture.write("lib.h", "int twice(int);\n");
    fixture.write("lib.cc", "#include \"lib.h\"\nint twice(int x) { return 2 * x; }\n");
    fixture.write("user.cc", user);
    std::string database = "[";
    for (const char* file : {"lib.cc", "user.cc"}) {
      database += std::string(database.size() > 1 ? "," : "") + R"({"directory": ")" +
                  fixture.root().string() + R"(", "file": ")" + file + R"(", "command": "c++"})";
    }
    fixture.write("compile_commands.json", database + "]");
    const auto semantics = fixture.semantics();
    semantics->set_files({"lib.cc", "lib.h", "user.cc", "compile_commands.json"});
    fixture.run_until([&] { return semantics->is_settled(); });
    const auto offset = static_cast<std::uint32_t>(user.find("twice"));
    auto answer = semantics->find("user.cc", indexer::hash_content(user), offset);
    REQUIRE(answer);
    CHECK(describe(answer->definitions) == "lib.cc:21 ");
    CHECK(describe(answer->declarations) == "lib.h:4 ");
    CHECK(answer->confidence == 1);
    CHECK(describe(semantics->index().places(answer->symbols[0].key)) ==
          "lib.cc:21 lib.h:4 user.cc:37 ");

    // Unsaved text is what counts while it is shown.
    const std::string typed = "#include \"lib.h\"\nint more = twice(2);\n" + user.substr(17);
    semantics->show("user.cc", typed);
    fixture.run_until([&] { return semantics->is_settled(); });
    CHECK(semantics->find(
        "user.cc", indexer::hash_content(typed), static_cast<std::uint32_t>(typed.find("twice"))));
    CHECK(!semantics->find("user.cc", indexer::hash_content(user), offset));

    std::optional<Result<wire::ClangHovered>> hovered;
    semantics->hover("user.cc",
                     static_cast<std::uint32_t>(typed.find("twice")),
                     {},
                     [&](Result<wire::ClangHovered> result) { hovered = std::move(result); });
    fixture.run_until([&] { return hovered.has_value(); });
    REQUIRE(*hovered);
    REQUIRE((*hovered)->text);
    CHECK((*hovered)->text->signature == "int twice(int)");

    // A header that changed on disk takes its units along.
    semantics->hide("user.cc");
    fixture.write("lib.h", "\n\nint twice(int);\n");
    semantics->file_changed("lib.h");
    fixture.run_until([&] { return semantics->is_settled(); });
    answer = semantics->find("user.cc", indexer::hash_content(user), offset);
    REQUIRE(answer);
    CHECK(describe(answer->declarations) == "lib.h:6 ");
    CHECK(semantics->status().n_failed == 0);
  }

  TEST_CASE("an open header is understood by a unit that includes it") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    const std::string header = "inline Number half(Number n) { return n / 2; }\n";
    fixture.write("part.h", header);
    fixture.write("all.cc", "using Number = int;\n#include \"part.h\"\n");
    fixture.write("compile_commands.json",
                  R"([{"directory": ")" + fixture.root().string() +
                      R"(", "file": "all.cc", "command": "c++"}])");
    const auto semantics = fixture.semantics();
    semantics->set_files({"all.cc", "part.h"});
    fixture.run_until([&] { return semantics->is_settled(); });
    semantics->show("part.h", header);
    fixture.run_until([&] { return semantics->is_settled(); });
    const auto answer = semantics->find(
        "part.h", indexer::hash_content(header), static_cast<std::uint32_t>(header.find("Number")));
    REQUIRE(answer);
    CHECK(describe(answer->definitions) == "all.cc:6 ");
    CHECK(answer->confidence == 1);
  }

  TEST_CASE("open files alone, or nothing, when the user says so") {
    REQUIRE_LIBCLANG();
    Fixture fixture;
    fixture.write("a.cc", "int a;\n");
    fixture.write("compile_commands.json",
                  R"([{"directory": ")" + fixture.root().string() +
                      R"(", "file": "a.cc", "command": "c++"}])");
    for (const ClangUse use : {ClangUse::kOff, ClangUse::kOpenFiles}) {
      const auto semantics = fixture.semantics(use);
      semantics->set_files({"a.cc"});
      fixture.run_until([&] { return semantics->is_settled(); });
      CHECK(semantics->status().index.n_units == 0);
      semantics->show("a.cc", "int a;\n");
      fixture.run_until([&] { return semantics->is_settled(); });
      CHECK(semantics->status().index.n_units == (use == ClangUse::kOff ? 0 : 1));
    }
  }
}

}  // namespace kinglet::daemon
