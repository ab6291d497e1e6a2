#include "indexer/store.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <sys/mount.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "indexer/language.h"
#include "indexer/parse.h"
#include "tests/indexer/faulty_vfs.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::indexer {
namespace {

std::string source_of(std::size_t i) {
  return "int value_" + std::to_string(i) + "(int a) { return a + " + std::to_string(i) + "; }\n";
}

FileRecord record_of(const std::string& text) {
  return *parse_file(language_of("a.c", text), text);
}

/// Of source_of(i); made once.
const FileRecord& record_number(std::size_t i) {
  static std::map<std::size_t, FileRecord> records;
  const auto known = records.find(i);
  return known != records.end() ? known->second
                                : records.emplace(i, record_of(source_of(i))).first->second;
}

StoreBatch batch_of(std::size_t first, std::size_t n) {
  StoreBatch batch{.root = "/repo", .records = {}, .files = {}, .removed = {}};
  for (std::size_t i = first; i < first + n; ++i) {
    const FileRecord& record = record_number(i);
    batch.records.push_back({record.hash, record.language, serialize(record)});
    batch.files.push_back({.path = "f" + std::to_string(i) + ".c",
                           .stamp = i + 1,
                           .hash = record.hash,
                           .language = record.language,
                           .left_out = {}});
  }
  return batch;
}

/// How many of batch_of(0, n)'s statements the store still makes. None of them may be wrong.
std::size_t n_right(Store& store, std::size_t n) {
  const StoreBatch all = batch_of(0, n);
  std::size_t n_right = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const FileRecord& expected = record_number(i);
    const auto found = store.find(expected.hash, expected.language);
    if (!found) continue;
    CHECK(*found == expected);
    ++n_right;
  }
  for (const StoredFile& file : store.files("/repo")) {
    CHECK(std::find(all.files.begin(), all.files.end(), file) != all.files.end());
    ++n_right;
  }
  return n_right;
}

class Fixture {
 public:
  StoreOptions options() {
    StoreOptions options;
    options.file = folder / "index.sqlite3";
    options.version = 1;
    options.log = [this](const std::string& line) { lines.push_back(line); };
    return options;
  }
  void fill(std::size_t n) {
    Store store(options());
    store.write(batch_of(0, n));
  }

  test::TemporaryFolder folder;
  std::vector<std::string> lines;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_SUITE("indexer/store") {
  TEST_CASE("what was written is there after a restart, and only that") {
    Fixture fixture;
    fixture.fill(10);
    Store store(fixture.options());
    CHECK(store.has_records());
    CHECK(n_right(store, 10) == 20);
    CHECK(store.files("/other").empty());
    CHECK(!store.find({1, 2}, "c"));
    CHECK(!store.find(record_number(1).hash, "cpp"));
    StoreBatch gone{.root = "/repo", .records = {}, .files = {}, .removed = {"f3.c"}};
    store.write(gone);
    CHECK(store.files("/repo").size() == 9);
    CHECK(fixture.lines.empty());
  }

  TEST_CASE("a content is left out again without being read") {
    Fixture fixture;
    const StoredFile file{
        .path = "logo.bin", .stamp = 5, .hash = {1, 2}, .language = "", .left_out = "binary"};
    Store(fixture.options())
        .write({.root = "/repo", .records = {}, .files = {file}, .removed = {}});
    CHECK(Store(fixture.options()).files("/repo") == std::vector{file});
  }

  TEST_CASE("another version of the parser begins anew, silently") {
    Fixture fixture;
    fixture.fill(3);
    StoreOptions options = fixture.options();
    options.version = 2;
    Store store(options);
    CHECK(store.is_open());
    CHECK(!store.has_records());
    CHECK(fixture.lines.empty());
  }

  TEST_CASE("a second process does without") {
    Fixture fixture;
    Store first(fixture.options());
    Store second(fixture.options());
    CHECK(first.is_open());
    CHECK(!second.is_open());
    second.write(batch_of(0, 1));
    CHECK(!second.find(record_number(0).hash, "c"));
    CHECK(fixture.lines.size() == 1);
  }

  TEST_CASE("a folder that is not there is one line in the log") {
    Fixture fixture;
    StoreOptions options = fixture.options();
    options.file = fixture.folder / "nowhere" / "index.sqlite3";
    Store store(options);
    store.write(batch_of(0, 1));
    CHECK(n_right(store, 1) == 0);
    CHECK(fixture.lines.size() == 1);
  }

  TEST_CASE("a full store forgets what was used longest ago") {
    Fixture fixture;
    StoreOptions options = fixture.options();
    options.max_bytes = 256 << 10;
    for (std::uint32_t day = 0; day < 20; ++day) {
      options.today = day;
      Store store(options);
      store.write(batch_of(day * 100, 100));
      CHECK(store.is_open());
      // Used each day, so it stays.
      CHECK(store.find(record_number(0).hash, "c"));
      store.write({.root = "/repo", .records = {}, .files = {}, .removed = {}});
    }
    CHECK(std::filesystem::file_size(options.file) <= options.max_bytes * 5 / 4);
    Store store(options);
    CHECK(store.find(record_number(1999).hash, "c"));
    CHECK(!store.find(record_number(1).hash, "c"));
    CHECK(fixture.lines.empty());
  }

  TEST_CASE("damaged stores give no wrong record (300 of them)") {
    Fixture fixture;
    constexpr std::size_t kRecords = 40;
    fixture.fill(kRecords);
    const std::filesystem::path file = fixture.folder / "index.sqlite3";
    const std::string good = read_file(file);
    REQUIRE(good.size() > 4096);
    std::mt19937_64 random(6);
    std::size_t n_survived = 0;
    for (int round = 0; round < 300; ++round) {
      write_file(file, damaged(good, random));
      Store store(fixture.options());
      n_survived += n_right(store, kRecords);
      // It goes on, damaged pages or not.
      store.write(batch_of(0, kRecords));
      n_right(store, kRecords);
    }
    CHECK(n_survived > 0);
  }

  TEST_CASE("any error of any call to the disk leaves no wrong record, and no more than a line") {
    FaultyVfs vfs;
    std::size_t n_faults = 0;
    for (const int error : FaultyVfs::errors()) {
      for (std::uint64_t at = 0;; ++at) {
        Fixture fixture;
        fixture.fill(5);
        StoreOptions options = fixture.options();
        options.vfs = vfs.name();
        vfs.fail_at(at, error);
        {
          Store store(options);
          n_right(store, 5);
          store.write(batch_of(0, 12));
          n_right(store, 12);
          store.write({.root = "/repo", .records = {}, .files = {}, .removed = {"f1.c"}});
        }
        const bool has_failed = vfs.has_failed();
        vfs.fail_never();
        CHECK(fixture.lines.size() <= 1);
        // Without the fault all is well again.
        Store after(fixture.options());
        CHECK(after.is_open());
        n_right(after, 12);
        after.write(batch_of(0, 12));
        CHECK(n_right(after, 12) == 24);
        if (!has_failed) break;
        ++n_faults;
      }
    }
    CHECK(n_faults > 100);
  }

  TEST_CASE("a disk that is full in the middle of writing is one line in the log") {
    Fixture fixture;
    const std::filesystem::path small = fixture.folder / "small";
    std::filesystem::create_directory(small);
    if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=4m") != 0) {
      MESSAGE("skipped: no right to mount a tmpfs");
      return;
    }
    StoreOptions options = fixture.options();
    options.file = small / "index.sqlite3";
    {
      Store store(options);
      for (std::size_t i = 0; i < 40; ++i)
        store.write(batch_of(i * 200, 200));
      CHECK(!store.is_open());
      n_right(store, 200);
    }
    CHECK(fixture.lines.size() == 1);
    // What filled the disk is gone.
    CHECK(!std::filesystem::exists(options.file));
    ::umount(small.c_str());
  }
}

}  // namespace kinglet::indexer
