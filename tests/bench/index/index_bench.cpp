// usage: index_bench [--rounds N] [--dump FILE] REPO
// What the syntactic index costs beside parsing alone. In one process and turn by turn: every file
// of a repository that has a grammar is parsed and the tree thrown away; then the same files become
// records, their bytes, records again as the broker reads them, and an index. Files lie in memory.
// CPU seconds of the one thread, medians over the rounds; one line of JSON. Ours runs in a child of
// each round, so that its allocator is none of the other's. compare.py runs it.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <tree_sitter/api.h>

#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "indexer/record.h"
#include "indexer/scan.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {
namespace {

struct File {
  std::string path;
  std::string text;
  const Language* language;
};

/// What one round takes, in CPU seconds.
struct Costs {
  double raw = 0;          // parsing alone
  double parse = 0;        // text → record
  double serialize = 0;    // record → bytes
  double deserialize = 0;  // bytes → record
  double put = 0;          // records → index
  double ours() const { return parse + serialize + deserialize + put; }
};

double seconds_of(const std::function<void()>& work) {
  const auto start = thread_time();
  work();
  return std::chrono::duration<double>(thread_time() - start).count();
}

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "index_bench: %s\n", message.c_str());
  std::exit(1);
}

std::vector<File> read_files(const std::string& folder) {
  const auto root = Root::open(folder);
  if (!root) die(root.error().message);
  const auto found = scan(*root);
  if (!found) die(found.error().message);
  std::vector<File> files;
  for (const ScannedFile& entry : found->files) {
    auto text = root->read(entry.path, ScanOptions{}.max_file_bytes);
    if (!text || judge_content(entry.path, *text)) continue;
    const Language& language = language_of(entry.path, *text);
    if (language.grammar != nullptr) files.push_back({entry.path, *std::move(text), &language});
  }
  return files;
}

double parse_only(const std::vector<File>& files, std::size_t& n_errors) {
  n_errors = 0;
  return seconds_of([&] {
    TSParser* parser = ts_parser_new();
    for (const File& file : files) {
      ts_parser_set_language(parser, file.language->grammar());
      TSTree* tree = ts_parser_parse_string(
          parser, nullptr, file.text.data(), static_cast<std::uint32_t>(file.text.size()));
      n_errors += ts_node_has_error(ts_tree_root_node(tree)) ? 1 : 0;
      ts_tree_delete(tree);
    }
    ts_parser_delete(parser);
  });
}

/// What an index of all files is like.
struct Outcome {
  Costs costs;
  IndexStats stats;
  std::size_t n_errors = 0;
  std::size_t n_lexical = 0;
};

Costs build(const std::vector<File>& files, Index& index) {
  // As the broker puts them in.
  constexpr std::size_t kBatch = 64;
  Costs costs;
  std::vector<std::pair<std::string, FileRecord>> batch;
  for (const File& file : files) {
    FileRecord record;
    std::string bytes;
    costs.parse += seconds_of([&] {
      auto made = parse_file(*file.language, file.text);
      if (!made) die(file.path + ": " + made.error().message);
      record = *std::move(made);
    });
    costs.serialize += seconds_of([&] { bytes = serialize(record); });
    record = {};
    costs.deserialize += seconds_of([&] {
      auto read = deserialize(std::as_bytes(std::span(bytes)));
      if (!read) die(file.path + ": " + read.error().message);
      batch.emplace_back(file.path, *std::move(read));
    });
    if (batch.size() == kBatch || &file == &files.back()) {
      costs.put += seconds_of([&] { index.put(std::exchange(batch, {})); });
    }
  }
  return costs;
}

Outcome build_in_child(const std::vector<File>& files, const std::string& dump) {
  int ends[2];
  if (::pipe(ends) != 0) die("no pipe");
  const pid_t child = ::fork();
  if (child < 0) die("no child");
  if (child == 0) {
    Index index;
    Outcome outcome;
    outcome.costs = build(files, index);
    const Snapshot snapshot = index.snapshot();
    outcome.stats = snapshot.stats();
    for (const FileInfo& file : snapshot.files()) {
      outcome.n_errors += file.coverage == Coverage::kErrors ? 1 : 0;
      outcome.n_lexical += file.coverage == Coverage::kLexical ? 1 : 0;
    }
    if (!dump.empty()) std::ofstream(dump, std::ios::binary) << snapshot.dump();
    const bool sent = ::write(ends[1], &outcome, sizeof(outcome)) == sizeof(outcome);
    ::_exit(sent ? 0 : 1);
  }
  ::close(ends[1]);
  Outcome outcome;
  const bool received = ::read(ends[0], &outcome, sizeof(outcome)) == sizeof(outcome);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (!received) die("the child died");
  return outcome;
}

double median(std::vector<Costs>& rounds, double (*value)(const Costs&)) {
  std::vector<double> values;
  values.reserve(rounds.size());
  for (const Costs& costs : rounds)
    values.push_back(value(costs));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace kinglet::indexer

int main(int argc, char** argv) {
  using namespace kinglet::indexer;
  int n_rounds = 5;
  std::string dump;
  std::string repository;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      n_rounds = std::max(1, std::atoi(argv[++i]));
    } else if (std::strcmp(argv[i], "--dump") == 0 && i + 1 < argc) {
      dump = argv[++i];
    } else {
      repository = argv[i];
    }
  }
  const std::vector<File> files = read_files(repository);
  if (files.empty()) die("no file of " + repository + " has a grammar");
  std::size_t n_bytes = 0;
  for (const File& file : files)
    n_bytes += file.text.size();

  std::vector<Costs> rounds;
  std::size_t n_raw_errors = 0;
  Outcome outcome;
  for (int round = 0; round < n_rounds; ++round) {
    const double raw = parse_only(files, n_raw_errors);
    outcome = build_in_child(files, round == 0 ? dump : std::string());
    outcome.costs.raw = raw;
    rounds.push_back(outcome.costs);
  }
  std::printf(
      "{\"files\": %zu, \"bytes\": %zu, \"raw\": %.4f, \"ours\": %.4f, \"ratio\": %.4f, "
      "\"parse\": %.4f, \"serialize\": %.4f, \"deserialize\": %.4f, \"put\": %.4f, "
      "\"raw_errors\": %zu, \"errors\": %zu, \"lexical\": %zu, \"definitions\": %zu, "
      "\"references\": %zu, \"chunks\": %zu, \"memory\": %zu}\n",
      files.size(),
      n_bytes,
      median(rounds, [](const Costs& c) { return c.raw; }),
      median(rounds, [](const Costs& c) { return c.ours(); }),
      median(rounds, [](const Costs& c) { return c.ours() / c.raw; }),
      median(rounds, [](const Costs& c) { return c.parse; }),
      median(rounds, [](const Costs& c) { return c.serialize; }),
      median(rounds, [](const Costs& c) { return c.deserialize; }),
      median(rounds, [](const Costs& c) { return c.put; }),
      n_raw_errors,
      outcome.n_errors,
      outcome.n_lexical,
      outcome.stats.n_definitions,
      outcome.stats.n_references,
      outcome.stats.n_chunks,
      outcome.stats.memory);
  return 0;
}
