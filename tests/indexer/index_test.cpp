#include "indexer/index.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sys/mount.h>

#include <doctest/doctest.h>

#include "indexer/fuzzy.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::indexer {
namespace {

using Strings = std::vector<std::string>;

FileRecord record_of(const std::string& path, const std::string& text) {
  auto record = parse_file(language_of(path, text), text);
  REQUIRE(record);
  return *std::move(record);
}

// A repository of made-up code that shares names between its files.
std::string random_text(std::mt19937& random) {
  static const Strings kNames = {"open",
                                 "close",
                                 "table",
                                 "Row",
                                 "find",
                                 "key",
                                 "Store",
                                 "value",
                                 "limit",
                                 "parse",
                                 "node",
                                 "cursor"};
  const auto name = [&] { return kNames[random() % kNames.size()]; };
  std::string text;
  for (unsigned n = random() % 6; n > 0; --n) {
    text += "// " + name() + " " + name() + "\nint " + name() + "_" + name() + "(" + name() + " " +
            name() + ") {\n  return " + name() + "(" + name() + ");\n}\n\n";
    if (random() % 3 == 0) text += "class " + name() + " { int " + name() + "; };\n";
    if (random() % 4 == 0) text += "#include \"" + name() + ".h\"\n";
  }
  return text;
}

Strings names(const std::vector<Symbol>& symbols) {
  Strings all;
  for (const Symbol& symbol : symbols)
    all.push_back(symbol.path + ":" + symbol.definition.name);
  return all;
}

Strings places(const std::vector<ChunkHit>& hits) {
  Strings all;
  for (const ChunkHit& hit : hits) {
    all.push_back(hit.path + ":" + std::to_string(hit.range.begin) + " " +
                  std::to_string(hit.score) + " " + std::to_string(hit.n_matched));
  }
  return all;
}

void fill(Index& index, const std::map<std::string, std::string>& files) {
  std::vector<std::pair<std::string, FileRecord>> records;
  records.reserve(files.size());
  for (const auto& [path, text] : files)
    records.emplace_back(path, record_of(path, text));
  index.put(std::move(records));
}

}  // namespace

TEST_SUITE("indexer/index") {
  TEST_CASE("definitions, references and imports are found by name and path") {
    Index index;
    fill(index,
         {{"b.cpp", "#include \"a.h\"\nint twice(int x) { return once(x) + once(x); }\n"},
          {"a.h", "#include <string>\nnamespace n { int once(int); }\n"},
          {"c.py", "def once():\n  return twice()\n"}});
    const Snapshot snapshot = index.snapshot();
    const auto found = snapshot.definitions("once");
    CHECK(names(found) == Strings{"a.h:once", "c.py:once"});
    CHECK(found[0].definition.container == "n");
    CHECK(found[1].language == "python");
    CHECK(snapshot.definitions("nothing").empty());
    CHECK(snapshot.references("once") == std::vector<ReferenceSite>{{"b.cpp", {41, 51}}});
    CHECK(snapshot.references("twice").size() == 1);
    CHECK(snapshot.imports_of("b.cpp").at(0).target == "a.h");
    CHECK(snapshot.n_defining_files("once") == 2);
    CHECK(names(snapshot.definitions_in("a.h")) == Strings{"a.h:n", "a.h:once"});
    CHECK(snapshot.file("c.py")->n_lines == 2);
    CHECK(!snapshot.file("d.py"));
    CHECK(snapshot.files().size() == 3);
    CHECK(snapshot.stats().n_definitions == 4);
    CHECK(snapshot.stats().n_references > 3);
  }

  TEST_CASE("a put replaces, a remove takes away, and a snapshot stays as it was") {
    Index index;
    fill(index, {{"a.py", "def old(): pass\n"}, {"b.py", "def other(): pass\n"}});
    const Snapshot before = index.snapshot();
    index.put("a.py", record_of("a.py", "def new(): pass\n"));
    CHECK(index.remove("b.py"));
    CHECK(!index.remove("b.py"));
    CHECK(before.definitions("old").size() == 1);
    CHECK(before.definitions("other").size() == 1);
    const Snapshot after = index.snapshot();
    CHECK(after.definitions("old").empty());
    CHECK(after.definitions("other").empty());
    CHECK(after.definitions("new").size() == 1);
    CHECK(after.stats().n_files == 1);
    index.clear();
    CHECK(index.snapshot().stats().n_files == 0);
    CHECK(index.snapshot().dump().empty());
    CHECK(after.definitions("new").size() == 1);
  }

  TEST_CASE("symbols are found exactly, by prefix, by kind and by their letters") {
    Index index;
    fill(index,
         {{"a.cpp",
           "class TableReader {};\nint table_size();\nint find_table_row();\nint Tab();\n"
           "void reader_of_tables();\n"}});
    const Snapshot snapshot = index.snapshot();
    const auto find =
        [&](const std::string& text, SymbolQuery::Match match, std::size_t limit = 9) {
          SymbolQuery query;
          query.text = text;
          query.match = match;
          query.limit = limit;
          Strings all;
          for (const Symbol& symbol : snapshot.find_symbols(query))
            all.push_back(symbol.definition.name);
          return all;
        };
    using Match = SymbolQuery::Match;
    CHECK(find("Tab", Match::kExact) == Strings{"Tab"});
    CHECK(find("Tab", Match::kPrefix) == Strings{"Tab", "TableReader"});
    CHECK(find("tab", Match::kFuzzy).front() == "Tab");
    CHECK(find("tr", Match::kFuzzy).front() == "TableReader");
    CHECK(find("ftr", Match::kFuzzy) == Strings{"find_table_row"});
    CHECK(find("xyz", Match::kFuzzy).empty());
    CHECK(find("", Match::kFuzzy).size() == 5);
    CHECK(find("", Match::kFuzzy, 2).size() == 2);
    SymbolQuery classes;
    classes.kind = SymbolKind::kClass;
    CHECK(names(snapshot.find_symbols(classes)) == Strings{"a.cpp:TableReader"});
  }

  TEST_CASE("search ranks chunks by the terms they share, rare ones first") {
    Index index;
    fill(index,
         {{"a.py", "def alpha():\n  return common + rare_word\n"},
          {"b.py", "def beta():\n  return common\n"},
          {"c.py", "def gamma():\n  return common + common + common\n"},
          {"d.py", "def delta():\n  return nothing\n"}});
    const auto hits = index.snapshot().search({{{"common", 1}, {"rare_word", 1}}, 10});
    REQUIRE(hits.size() == 3);
    CHECK(hits[0].path == "a.py");
    CHECK(hits[0].n_matched == 2);
    CHECK(hits[1].path == "c.py");
    CHECK(hits[0].score > hits[1].score);
    CHECK(hits[1].score > hits[2].score);
    CHECK(hits[0].hash == hash_chunk("def alpha():\n  return common + rare_word\n"));
    CHECK(index.snapshot().search({{{"common", 1}}, 2}).size() == 2);
    CHECK(index.snapshot().search({{{"absent", 1}}, 2}).empty());
    CHECK(index.snapshot().search({}).empty());
    CHECK(Index().snapshot().search({{{"common", 1}}, 2}).empty());
  }

  TEST_CASE("the score is BM25's") {
    Index index;
    fill(index, {{"a.py", "alpha = beta\n"}, {"b.py", "gamma = gamma\n"}});
    // Two chunks of two terms, one holds the term once: ln(1 + 1.5/1.5) * 2.2 / (1 + 1.2).
    const auto hits = index.snapshot().search({{{"alpha", 2}}, 10});
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].score == doctest::Approx(2 * 0.693147).epsilon(1e-3));
  }

  TEST_CASE("an index grown by any history equals a fresh one, wherever it lies") {
    const test::TemporaryFolder folder;
    std::mt19937 random(5);
    Index grown(60'000);  // few files are in one segment
    std::size_t n_moved = 0;
    std::map<std::string, std::string> files;
    for (int step = 0; step < 600; ++step) {
      const std::string path = "dir" + std::to_string(random() % 5) + "/file" +
                               std::to_string(random() % 30) + (random() % 2 ? ".cpp" : ".py");
      switch (random() % 7) {
        case 6: {
          const auto moved = grown.move_to_file(folder.path(), 1);
          REQUIRE(moved);
          n_moved += *moved;
          grown.snapshot().release_pages();
          break;
        }
        case 0:
          CHECK(grown.remove(path) == (files.erase(path) == 1));
          break;
        case 1: {  // a branch switch: many at once, one of them twice
          std::vector<std::pair<std::string, FileRecord>> batch;
          for (unsigned n = random() % 20 + 1; n > 0; --n) {
            const std::string other = "dir" + std::to_string(random() % 5) + "/file" +
                                      std::to_string(random() % 30) + ".cpp";
            files[other] = random_text(random);
            batch.emplace_back(other, record_of(other, files[other]));
          }
          grown.put(std::move(batch));
          break;
        }
        default:
          files[path] = random_text(random);
          grown.put(path, record_of(path, files[path]));
      }
      if (step % 20 != 0) continue;
      Index fresh;
      fill(fresh, files);
      const Snapshot a = grown.snapshot();
      const Snapshot b = fresh.snapshot();
      REQUIRE(a.dump() == b.dump());
      CHECK(a.stats().n_files == files.size());
      CHECK(a.stats().n_references == b.stats().n_references);
      for (const char* word : {"open", "table", "find_key", "Row", "nothing"}) {
        CHECK(names(a.definitions(word)) == names(b.definitions(word)));
        CHECK(a.references(word) == b.references(word));
        CHECK(a.n_defining_files(word) == b.n_defining_files(word));
        const std::size_t n_chunks = b.search({{{word, 1}}, files.size() * 100}).size();
        CHECK(a.n_chunks_with(word) == n_chunks);
        CHECK(b.n_chunks_with(word) == n_chunks);
        SymbolQuery query;
        query.text = word;
        CHECK(names(a.find_symbols(query)) == names(b.find_symbols(query)));
      }
      const SearchQuery search{{{"table", 1}, {"Row", 2}, {"open_find", 1}, {"limit", 0.5F}}, 30};
      CHECK(places(a.search(search)) == places(b.search(search)));
    }
    CHECK(files.size() > 50);
    CHECK(n_moved > 100'000);
    CHECK(grown.snapshot().stats().in_files > 0);
  }

  TEST_CASE("what lies in a file takes no memory, and a snapshot keeps the file") {
    const test::TemporaryFolder folder;
    std::mt19937 random(6);
    Index index;
    for (int i = 0; i < 30; ++i) {
      const std::string path = "f" + std::to_string(i) + ".cpp";
      index.put(path, record_of(path, random_text(random)));
    }
    const IndexStats before = index.snapshot().stats();
    CHECK(before.in_files == 0);
    const std::string dump = index.snapshot().dump();
    std::size_t n_freed = 0;
    for (;;) {
      const auto freed = index.move_to_file(folder.path(), 1);
      REQUIRE(freed);
      if (*freed == 0) break;
      n_freed += *freed;
    }
    const Snapshot moved = index.snapshot();
    CHECK(moved.stats().memory < 100);
    CHECK(n_freed + moved.stats().memory >= before.memory);
    CHECK(moved.stats().in_files <= before.memory);
    CHECK(std::filesystem::is_empty(folder.path()));  // the file has no name
    moved.release_pages();
    CHECK(moved.dump() == dump);
    index.clear();
    CHECK(moved.dump() == dump);
  }

  TEST_CASE("where there is no room for a file, the index stays in memory") {
    const test::TemporaryFolder folder;
    std::mt19937 random(7);
    Index index;
    std::map<std::string, std::string> files;
    for (int i = 0; i < 400; ++i)
      files["f" + std::to_string(i) + ".cpp"] = random_text(random);
    fill(index, files);
    REQUIRE(index.snapshot().stats().memory > 150'000);
    const std::string dump = index.snapshot().dump();
    const auto nowhere = index.move_to_file(folder / "missing", 1);
    REQUIRE(!nowhere);
    CHECK(nowhere.error().message.find("missing") != std::string::npos);
    CHECK(index.snapshot().dump() == dump);

    std::filesystem::create_directory(folder / "small");
    if (::mount("tmpfs", (folder / "small").c_str(), "tmpfs", 0, "size=64k") != 0) {
      MESSAGE("skipped: no right to mount a tmpfs");
      return;
    }
    const auto full = index.move_to_file(folder / "small", 1);
    CHECK(!full);
    CHECK(index.snapshot().dump() == dump);
    ::umount((folder / "small").c_str());
  }

  TEST_CASE("records come out of the index as they went in") {
    std::mt19937 random(8);
    Index index;
    for (int i = 0; i < 40; ++i) {
      const std::string path = "f" + std::to_string(i) + ".cpp";
      index.put(path, record_of(path, random_text(random)));
    }
    // A dump that forgets nothing: an index of one file says the same of it as one of many.
    const std::string dump = index.snapshot().dump();
    std::mt19937 again(8);
    std::map<std::string, std::string> single;
    for (int i = 0; i < 40; ++i) {
      Index one;
      const std::string path = "f" + std::to_string(i) + ".cpp";
      one.put(path, record_of(path, random_text(again)));
      single[path] = one.snapshot().dump();
    }
    std::string joined;
    for (const auto& [path, text] : single)
      joined += text;
    CHECK(dump == joined);
  }

  TEST_CASE("readers go on while a writer writes") {
    Index index;
    std::atomic<int> n_written = 0;
    std::jthread writer([&] {
      std::mt19937 random(1);
      for (; n_written < 2000; ++n_written) {
        const std::string path = "f" + std::to_string(n_written % 50) + ".py";
        auto record = parse_file(language_of(path, ""), "def shared(): return shared\n");
        index.put(path, *std::move(record));
        if (n_written % 7 == 0) index.remove("f" + std::to_string(random() % 50) + ".py");
      }
    });
    std::size_t n_seen = 0;
    while (n_written < 2000) {
      const Snapshot snapshot = index.snapshot();
      const auto n_files = snapshot.stats().n_files;
      REQUIRE(snapshot.definitions("shared").size() == n_files);
      REQUIRE(snapshot.references("shared").size() == n_files);
      REQUIRE(snapshot.search({{{"shared", 1}}, 1000}).size() == n_files);
      n_seen += n_files;
    }
    CHECK(n_seen > 0);
  }
}

TEST_SUITE("indexer/fuzzy") {
  TEST_CASE("better fits score higher") {
    const auto better = [](const char* query, const char* good, const char* bad) {
      INFO(query << ": " << good << " before " << bad);
      REQUIRE(fuzzy_score(query, good));
      REQUIRE(fuzzy_score(query, bad));
      CHECK(*fuzzy_score(query, good) > *fuzzy_score(query, bad));
    };
    better("open", "open", "open_file");
    better("open", "open_file", "reopen");
    better("open", "Open", "open_file");
    better("fb", "foo_bar", "fabric");
    better("fb", "fooBar", "offbeat");
    better("sym", "symbol", "a_symbol_in_a_long_name");
    CHECK(!fuzzy_score("abc", "acb"));
    CHECK(fuzzy_score("", "x"));
    CHECK(!fuzzy_score("x", ""));
  }
}

}  // namespace kinglet::indexer
