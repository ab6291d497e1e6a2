#include "daemon/eval/completer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/eval/holes.h"
#include "indexer/parse.h"
#include "tests/daemon/double_vocabulary.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using indexer::HoleKind;

/// Files whose functions use each other's; no line stands there twice.
struct Site {
  Site() {
    for (int file = 0; file < 6; ++file) {
      const std::string path = "file_" + std::to_string(file) + ".c";
      std::string text;
      for (int i = 0; i < 40; ++i) {
        const std::string n = std::to_string(file) + "_" + std::to_string(i);
        const std::string other = std::to_string((file + i) % 6) + "_" + std::to_string(39 - i);
        text += "int measure_" + n + "(int amount_" + n + ", int factor) {\n" + "  int total_" + n +
                " = measure_" + other + "(amount_" + n + ", factor);\n" + "  if (total_" + n +
                " > factor) {\n" + "    report_" + n + "(total_" + n + ", \"over\");\n" + "  }\n" +
                "  return total_" + n + " + factor;\n" + "}\n\n";
      }
      add(path, text);
      texts[path] = std::move(text);
    }
  }
  void add(const std::string& path, const std::string& text) {
    std::ofstream(folder / path) << text;
    index.put(path, *indexer::parse_file(*indexer::find_language("c"), text));
  }
  void add_copies() {
    for (const auto& [path, text] : texts)
      add("copy_of_" + path, text);
  }

  std::vector<ChosenHole> choose(std::size_t n,
                                 std::vector<HoleKind> kinds,
                                 std::uint64_t seed = 1) const {
    return choose_holes(index.snapshot(),
                        *indexer::Root::open(folder.path().string()),
                        {.n_holes = n, .seed = seed, .kinds = std::move(kinds)});
  }

  test::TemporaryFolder folder;
  std::map<std::string, std::string> texts;
  indexer::Index index;
};

const std::vector<HoleKind> kAll = {
    HoleKind::kLine, HoleKind::kBlock, HoleKind::kCall, HoleKind::kFirstUse};

/// What of a hole would give it away: a signature leaves out the body.
std::string_view telling_part(std::string_view gold) {
  gold = gold.substr(0, gold.find('\n'));
  return gold.ends_with(" {") ? gold.substr(0, gold.size() - 2) : gold;
}

/// How many prompts of these jobs hold what they are to be completed with.
std::size_t n_leaks(const std::vector<ChosenHole>& holes,
                    const std::function<Result<PackJob>(const ChosenHole&)>& job_of) {
  const auto writer = std::make_shared<const PromptWriter>(test::double_vocabulary("model"));
  std::size_t n = 0;
  std::size_t n_chunks = 0;
  for (const ChosenHole& hole : holes) {
    for (const std::size_t budget : {2'000, 6'000, 40'000}) {
      auto job = job_of(hole);
      REQUIRE(job);
      job->writer = writer;
      job->budget_tokens = budget;
      job->max_file_bytes = 1 << 20;
      const auto packed = pack_prompt(*job, {});
      REQUIRE(packed);
      const indexer::Pack& pack = *packed->pack;
      std::string all = pack.prefix + pack.suffix + pack.typed;
      for (const indexer::PackedChunk& chunk : pack.chunks)
        all += chunk.text;
      n_chunks += pack.chunks.size();
      if (all.find(telling_part(hole.gold())) != std::string::npos) ++n;
    }
  }
  CHECK(n_chunks > holes.size());
  return n;
}

}  // namespace

TEST_SUITE("daemon/eval/completer") {
  TEST_CASE("no prompt holds what is hidden") {
    Site site;
    const auto holes = site.choose(60, kAll);
    REQUIRE(holes.size() > 25);
    const auto job_of = [&](const ChosenHole& hole) {
      return job_for_hole(site.folder.path(), site.index.snapshot(), hole);
    };
    CHECK(n_leaks(holes, job_of) == 0);
    // A copy of its file is another matter, and shows that the search above would find something.
    site.add_copies();
    CHECK(n_leaks(holes, job_of) > 0);
  }

  TEST_CASE("holes are the seed's, spread over files and kinds, and do not overlap") {
    const Site site;
    const auto holes = site.choose(18, kAll);
    REQUIRE(holes.size() == 18);
    std::map<std::string, std::vector<ByteRange>> in_file;
    std::map<HoleKind, std::size_t> of_kind;
    for (const ChosenHole& hole : holes) {
      CHECK(*hole.text == site.texts.at(hole.hole.path));
      auto& ranges = in_file[hole.hole.path];
      for (const ByteRange range : ranges)
        CHECK(!range.overlaps(hole.hole.range));
      ranges.push_back(hole.hole.range);
      ++of_kind[hole.hole.kind];
    }
    for (const auto& [path, ranges] : in_file)
      CHECK(ranges.size() <= 3);
    CHECK(of_kind[HoleKind::kBlock] == 3);
    CHECK(of_kind[HoleKind::kCall] == 3);
    CHECK(of_kind[HoleKind::kFirstUse] == 2);
    CHECK(of_kind[HoleKind::kLine] == 10);

    const auto places = [](const std::vector<ChosenHole>& chosen) {
      std::set<std::pair<std::string, std::uint32_t>> all;
      for (const ChosenHole& hole : chosen)
        all.emplace(hole.hole.path, hole.hole.range.begin);
      return all;
    };
    CHECK(places(site.choose(18, kAll)) == places(holes));
    CHECK(places(site.choose(18, kAll, 2)) != places(holes));
    for (const ChosenHole& hole : site.choose(10, {HoleKind::kCall}))
      CHECK(hole.hole.kind == HoleKind::kCall);
    // 6 files have at most 3 each.
    CHECK(site.choose(30, kAll).size() <= 18);
  }

  TEST_CASE("files that are not as they were indexed have no holes") {
    const Site site;
    for (const auto& [path, text] : site.texts)
      std::ofstream(site.folder / path) << "/* new */\n" << text;
    fs::remove(site.folder / "file_0.c");
    std::ofstream(site.folder / "file_1.c") << site.texts.at("file_1.c");
    const auto holes = site.choose(12, kAll);
    REQUIRE(!holes.empty());
    for (const ChosenHole& hole : holes)
      CHECK(hole.hole.path == "file_1.c");
  }

  TEST_CASE("kinds by their names") {
    CHECK(read_kinds({"call", "first-use", "call"}) ==
          std::vector<HoleKind>{HoleKind::kCall, HoleKind::kFirstUse});
    CHECK(read_kinds({"word"}).error().message ==
          "there are no holes of the kind \"word\"; give some of line, block, call, first-use");
  }
}

}  // namespace kinglet::daemon
