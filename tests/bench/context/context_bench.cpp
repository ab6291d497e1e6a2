// usage: context_bench FOLDER [--holes N] [--seed S] [--budgets 2048,8192] [--packer NAME]...
//                      [--vocabulary MODEL.gguf] [--hunks FILE] [--git CHECKOUT --commit REV]
//                      [--only-commits] [--recent]
// How good packers are at one repository: hides pieces of its files and measures what each packer
// brings for them. Writes JSON, a line for the repository and one for each hole, packer and budget.
// report.py runs it and makes tables and plots.
//
// FILE has a JSON list of what later commits added: {"commit", "path", "begin", "text"}, `begin`
// being a byte offset in the folder's file. The folder has the files of CHECKOUT at REV: which of
// them changed together until then is read there.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/resource.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "indexer/context/hole.h"
#include "indexer/history.h"
#include "inference/gguf.h"
#include "inference/tokenizer/line_segments.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/bench/context/corpus.h"
#include "tests/bench/context/measures.h"
#include "tests/bench/context/packers.h"

namespace kinglet::bench {
namespace {

using nlohmann::json;

struct Options {
  std::string folder;
  std::size_t n_holes = 200;
  std::uint64_t seed = 1;
  std::vector<std::size_t> budgets = {2048, 8192};
  std::vector<std::string> packers;
  std::string vocabulary = "inference/starter_model/kinglet-starter.gguf";
  std::string hunks;
  std::string git;
  std::string commit;
  bool recent = false;
  bool only_commits = false;
};

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "context_bench: %s\n", message.c_str());
  std::exit(1);
}

// Which share of the holes each kind has.
constexpr std::array<double, indexer::kHoleKinds> kShares = {0.3, 0.2, 0.2, 0.15, 0.15};

// A commit's hunk is text that the folder does not have yet: it is put in, then hidden.
struct Place {
  CorpusFile file;  // with the hunk in it, where it is one
  indexer::Hole hole;
  std::vector<indexer::RecentPlace> same_commit = {};  // other places that the commit changes
};

// At most so many, in the order of the diff.
constexpr std::size_t kMaxRecent = 16;

std::vector<indexer::RecentPlace> others_of(const json& hunk, const json& hunks) {
  std::vector<indexer::RecentPlace> places;
  for (const json& other : hunks) {
    if (&other == &hunk || other["commit"] != hunk["commit"]) continue;
    const auto begin = other["begin"].get<std::uint32_t>();
    places.push_back({other["path"].get<std::string>(), {begin, begin}});
    if (places.size() == kMaxRecent) break;
  }
  return places;
}

std::vector<Place> choose_holes(const Corpus& corpus, const Options& options, const json& hunks) {
  std::mt19937_64 random(options.seed);
  std::array<std::vector<Place>, indexer::kHoleKinds> all;
  for (const CorpusFile& file : corpus.files()) {
    for (indexer::Hole& hole :
         indexer::find_holes(corpus.index(), file.path, *file.language, file.text)) {
      all[static_cast<std::size_t>(hole.kind)].push_back({{file.path, {}, file.language}, hole});
    }
  }
  for (const json& hunk : hunks) {
    if (options.only_commits && others_of(hunk, hunks).empty()) continue;
    const CorpusFile* file = corpus.find(hunk["path"].get<std::string>());
    if (file == nullptr || file->language->is_data) continue;
    const auto text = hunk["text"].get<std::string>();
    const auto begin = hunk["begin"].get<std::uint32_t>();
    CorpusFile with = *file;
    with.text.insert(begin, text);
    const auto end = static_cast<std::uint32_t>(begin + text.size());
    all[static_cast<std::size_t>(indexer::HoleKind::kCommit)].push_back(
        {std::move(with),
         {file->path, indexer::HoleKind::kCommit, {begin, end}},
         others_of(hunk, hunks)});
  }
  const std::size_t most_in_file = std::max<std::size_t>(3, options.n_holes / 12);
  std::map<std::string, std::size_t> n_in_file;
  std::vector<Place> chosen;
  // Kinds that have too few leave their share to lines.
  for (std::size_t kind = indexer::kHoleKinds; kind-- > 0;) {
    auto& places = all[kind];
    std::ranges::shuffle(places, random);
    if (options.only_commits && kind + 1 < indexer::kHoleKinds) break;
    std::size_t wanted =
        options.only_commits ? options.n_holes
        : kind == 0
            ? options.n_holes - std::min(options.n_holes, chosen.size())
            : static_cast<std::size_t>(kShares[kind] * static_cast<double>(options.n_holes));
    for (Place& place : places) {
      if (wanted == 0) break;
      if (n_in_file[place.hole.path] == most_in_file) continue;
      ++n_in_file[place.hole.path];
      --wanted;
      chosen.push_back(std::move(place));
    }
  }
  return chosen;
}

CountTokens counter(const std::string& path) {
  const auto file = inference::Gguf::open(path);
  if (!file) die(file.error().message);
  auto vocabulary = inference::vocabulary_from_gguf(*file);
  if (!vocabulary) die(vocabulary.error().message);
  auto tokenizer = std::make_shared<inference::Tokenizer>(
      std::make_shared<const inference::Vocabulary>(*std::move(vocabulary)));
  if (!inference::splits_at_lines(*tokenizer)) die(path + " does not split at lines");
  // As the daemon does: what a line has is known from one prompt to the next.
  struct Known {
    std::mutex mutex;
    std::unordered_map<std::size_t, std::size_t> n_tokens;  // of a segment by its hash
  };
  auto known = std::make_shared<Known>();
  return [tokenizer, known](std::string_view text) {
    std::size_t n_tokens = 0;
    inference::for_each_line_segment(text, [&](std::string_view segment) {
      const std::size_t hash = std::hash<std::string_view>()(segment);
      {
        const std::lock_guard lock(known->mutex);
        if (const auto found = known->n_tokens.find(hash); found != known->n_tokens.end()) {
          n_tokens += found->second;
          return;
        }
      }
      const std::size_t n =
          tokenizer->encode(segment, {.space_prefix = inference::SpacePrefix::kNever}).size();
      n_tokens += n;
      const std::lock_guard lock(known->mutex);
      known->n_tokens.emplace(hash, n);
    });
    return n_tokens;
  };
}

json to_json(const Recall& recall) {
  return {recall.n, recall.by_signature, recall.by_body, recall.by_use};
}

int run(const Options& options) {
  json hunks = json::array();
  if (!options.hunks.empty()) {
    std::ifstream in(options.hunks);
    hunks = json::parse(in, nullptr, false);
    if (!hunks.is_array()) die(options.hunks + " has no JSON list");
  }
  indexer::ChangeHistory history;
  if (!options.git.empty()) {
    auto read = indexer::read_history(options.git, {.from = options.commit});
    if (!read) die(read.error().message);
    history = *std::move(read);
  }
  const Corpus corpus = Corpus::load(options.folder);
  const CountTokens count = counter(options.vocabulary);
  std::size_t n_tokens = 0;
  for (const CorpusFile& file : corpus.files())
    n_tokens += count(file.text);
  const std::vector<Place> places = choose_holes(corpus, options, hunks);
  json kinds = json::object();
  for (const Place& place : places)
    kinds[std::string(name_of(place.hole.kind))] =
        kinds.value(std::string(name_of(place.hole.kind)), 0) + 1;
  json about = {{"files", corpus.files().size()},
                {"bytes", corpus.n_bytes()},
                {"tokens", n_tokens},
                {"left_out", corpus.n_left_out()},
                {"holes", places.size()},
                {"kinds", kinds}};
  std::printf("%s\n", about.dump().c_str());

  for (std::size_t i = 0; i < places.size(); ++i) {
    const CorpusFile* file = corpus.find(places[i].hole.path);
    const bool is_hunk = places[i].hole.kind == indexer::HoleKind::kCommit;
    Task task = make_task(corpus, is_hunk ? places[i].file : *file, places[i].hole);
    task.file = file;
    const indexer::Snapshot index = is_hunk ? corpus.index() : corpus.with(*file, task.left);
    for (const std::size_t budget : options.budgets) {
      for (const Packer& packer : all_packers()) {
        if (!options.packers.empty() &&
            std::ranges::find(options.packers, packer.name) == options.packers.end())
          continue;
        const PackTask pack_task{
            .task = task,
            .index = index,
            .budget = budget,
            .count = count,
            .seed = options.seed * 1'000'003 + i,
            .history = history,
            .recent = options.recent ? places[i].same_commit : std::vector<indexer::RecentPlace>()};
        const auto begin = std::chrono::steady_clock::now();
        const auto pieces = packer.pack(corpus, pack_task);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begin;
        std::size_t n_used = 0;
        for (const Piece& piece : pieces)
          n_used += cost_of(piece, count);
        if (n_used > budget) {
          die(std::string(packer.name) + " is over its budget at " + file->path + ": " +
              std::to_string(n_used) + " of " + std::to_string(budget));
        }
        const Measures measures = measure(task, pieces);
        const json row = {{"hole", i},
                          {"path", file->path},
                          {"kind", name_of(places[i].hole.kind)},
                          {"begin", places[i].hole.range.begin},
                          {"packer", packer.name},
                          {"budget", budget},
                          {"used", n_used},
                          {"pieces", pieces.size()},
                          {"ms", took.count()},
                          {"seen", to_json(measures.seen)},
                          {"unseen", to_json(measures.unseen)},
                          {"gold", measures.n_gold_tokens},
                          {"covered4", measures.covered4},
                          {"covered8", measures.covered8},
                          {"covered4_by_pack", measures.covered4_by_pack},
                          {"steps_file", measures.steps_file},
                          {"steps_pack", measures.steps_pack},
                          {"words", measures.n_pack_tokens},
                          {"wasted", measures.n_wasted}};
        std::printf("%s\n", row.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
      }
    }
    if (i % 20 == 19) std::fprintf(stderr, "\r%zu of %zu holes", i + 1, places.size());
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::fprintf(stderr, "\r%zu holes, peak memory %ld MB\n", places.size(), usage.ru_maxrss / 1024);
  return 0;
}

}  // namespace
}  // namespace kinglet::bench

int main(int argc, char** argv) {
  kinglet::bench::Options options;
  CLI::App app("How good packers of context are at one repository");
  app.add_option("folder", options.folder)->required();
  app.add_option("--holes", options.n_holes)->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--budgets", options.budgets)->delimiter(',')->capture_default_str();
  app.add_option("--packer", options.packers, "Only these; may be given more than once");
  app.add_option("--vocabulary", options.vocabulary)->capture_default_str();
  app.add_option("--hunks", options.hunks);
  app.add_flag("--recent", options.recent, "What else a hole's commit changes was edited lately");
  app.add_flag("--only-commits",
               options.only_commits,
               "Only holes of commits that change more than one place");
  auto* const git = app.add_option("--git", options.git);
  git->needs(app.add_option("--commit", options.commit)->needs(git));
  CLI11_PARSE(app, argc, argv);
  return kinglet::bench::run(options);
}
