#include "tests/bench/context/corpus.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <unordered_map>
#include <utility>

#include "indexer/parse.h"
#include "indexer/scan.h"
#include "indexer/segment.h"

namespace kinglet::bench {
namespace {

constexpr std::size_t kMaxBytes = 1'200'000;
constexpr double kSame = 0.85;  // Jaccard, of their lines

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "context_bench: %s\n", message.c_str());
  std::exit(1);
}

bool is_vendored(std::string_view path) {
  static constexpr std::array<std::string_view, 8> kFolders = {"deps",
                                                               "third_party",
                                                               "thirdparty",
                                                               "vendor",
                                                               "node_modules",
                                                               "docs",
                                                               "doc",
                                                               "single_include"};
  while (true) {
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return false;
    if (std::ranges::find(kFolders, path.substr(0, slash)) != kFolders.end()) return true;
    path.remove_prefix(slash + 1);
  }
}

std::vector<std::size_t> lines_of(std::string_view text) {
  std::vector<std::size_t> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.size() > 4) lines.push_back(std::hash<std::string_view>()(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::ranges::sort(lines);
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return lines;
}

// Files whose lines are nearly all another's: those are left out that have the longer paths.
std::vector<bool> find_copies(const std::vector<CorpusFile>& files) {
  std::vector<std::vector<std::size_t>> lines;
  lines.reserve(files.size());
  std::unordered_map<std::size_t, std::vector<std::uint32_t>> holders;
  for (std::size_t i = 0; i < files.size(); ++i) {
    lines.push_back(lines_of(files[i].text));
    for (const std::size_t line : lines.back())
      holders[line].push_back(static_cast<std::uint32_t>(i));
  }
  std::vector<bool> is_copy(files.size(), false);
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    std::unordered_map<std::uint32_t, std::size_t> n_common;
    for (const std::size_t line : lines[i]) {
      const auto& with = holders[line];
      if (with.size() > 50) continue;  // a licence
      for (const std::uint32_t other : with) {
        if (other < i) ++n_common[other];
      }
    }
    for (const auto& [other, n] : n_common) {
      if (is_copy[other] || is_copy[i]) continue;
      const auto n_all = static_cast<double>(lines[i].size() + lines[other].size() - n);
      if (static_cast<double>(n) < kSame * n_all) continue;
      const bool is_longer = files[i].path.size() >= files[other].path.size();
      is_copy[is_longer ? i : other] = true;
    }
  }
  return is_copy;
}

}  // namespace

Corpus Corpus::load(const std::string& folder) {
  const auto root = indexer::Root::open(folder);
  if (!root) die(root.error().message);
  const auto found = indexer::scan(*root);
  if (!found) die(found.error().message);
  std::vector<CorpusFile> files;
  Corpus corpus;
  for (const indexer::ScannedFile& entry : found->files) {
    if (is_vendored(entry.path) || entry.n_bytes > kMaxBytes) continue;
    auto text = root->read(entry.path, kMaxBytes);
    if (!text || indexer::judge_content(entry.path, *text)) continue;
    const indexer::Language& language = indexer::language_of(entry.path, *text);
    if (language.grammar != nullptr) files.push_back({entry.path, *std::move(text), &language});
  }
  const std::vector<bool> is_copy = find_copies(files);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (is_copy[i]) {
      ++corpus.n_left_out_;
    } else {
      corpus.files_.push_back(std::move(files[i]));
    }
  }
  if (corpus.files_.empty()) die("no file of " + folder + " has a grammar");
  std::vector<std::pair<std::string, indexer::FileRecord>> records;
  for (std::size_t i = 0; i < corpus.files_.size(); ++i) {
    const CorpusFile& file = corpus.files_[i];
    corpus.by_path_[file.path] = i;
    auto record = indexer::parse_file(*file.language, file.text);
    if (!record) die(file.path + ": " + record.error().message);
    records.emplace_back(file.path, *std::move(record));
  }
  indexer::Index index;
  index.put(std::move(records));
  corpus.snapshot_ = index.snapshot();
  return corpus;
}

const CorpusFile* Corpus::find(std::string_view path) const {
  const auto known = by_path_.find(path);
  return known == by_path_.end() ? nullptr : &files_[known->second];
}

indexer::Snapshot Corpus::with(const CorpusFile& file, const std::string& text) const {
  auto record = indexer::parse_file(*file.language, text);
  if (!record) die(file.path + ": " + record.error().message);
  const std::array<indexer::Overlaid, 1> overlaid = {
      {{file.path, indexer::Segment::of_file(file.path, *record)}}};
  return snapshot_.with(overlaid);
}

std::size_t Corpus::n_bytes() const {
  std::size_t n_bytes = 0;
  for (const CorpusFile& file : files_)
    n_bytes += file.text.size();
  return n_bytes;
}

}  // namespace kinglet::bench
