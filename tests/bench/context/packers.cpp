#include "tests/bench/context/packers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "indexer/chunks.h"
#include "indexer/context/packer.h"
#include "indexer/context/signature_writer.h"
#include "indexer/identifiers.h"
#include "tests/bench/context/repo_map.h"

namespace kinglet::bench {
namespace {

using Names = std::unordered_set<std::string_view>;

Names names_of(std::string_view text) {
  Names names;
  indexer::for_each_identifier(text,
                               [&](std::size_t, std::string_view name) { names.insert(name); });
  return names;
}

double jaccard(const Names& a, const Names& b) {
  if (a.empty() || b.empty()) return 0;
  std::size_t n_common = 0;
  for (const std::string_view name : a)
    n_common += b.count(name);
  return static_cast<double>(n_common) / static_cast<double>(a.size() + b.size() - n_common);
}

// Pieces in their order, as long as they fit; one that does not is left out.
class Filler {
 public:
  explicit Filler(const PackTask& task) : task_(task) {}
  bool fits(const Piece& piece) const {
    return used_ + cost_of(piece, task_.count) <= task_.budget;
  }
  bool add(Piece piece) {
    if (!fits(piece)) return false;
    used_ += cost_of(piece, task_.count);
    pieces_.push_back(std::move(piece));
    return true;
  }
  bool is_full() const { return used_ + 16 >= task_.budget; }
  std::vector<Piece> take() { return std::move(pieces_); }

 private:
  const PackTask& task_;
  std::size_t used_ = 0;
  std::vector<Piece> pieces_;
};

// Windows of whole lines.
struct Window {
  std::uint32_t file = 0;
  ByteRange range;
};
std::vector<Window> windows_of(std::uint32_t file,
                               std::string_view text,
                               std::size_t n_lines,
                               std::size_t stride) {
  const auto lines = indexer::line_starts(text);
  std::vector<Window> windows;
  for (std::size_t i = 0; i < lines.size(); i += stride) {
    const std::size_t past = std::min(i + n_lines, lines.size());
    const auto end = past == lines.size() ? static_cast<std::uint32_t>(text.size()) : lines[past];
    windows.push_back({file, {lines[i], end}});
    if (past == lines.size()) break;
  }
  return windows;
}

// All windows of a corpus, cut once; the task's own file is cut from what is left of it.
struct Windows {
  std::vector<Window> all;
  std::unordered_map<std::string_view, std::uint32_t> n_holding;  // windows with a name
};
const Windows& windows_of(const Corpus& corpus, std::size_t n_lines, std::size_t stride) {
  static std::map<std::tuple<const Corpus*, std::size_t, std::size_t>, Windows> known;
  const auto [entry, is_new] = known.try_emplace({&corpus, n_lines, stride});
  if (is_new) {
    for (std::uint32_t i = 0; i < corpus.files().size(); ++i) {
      for (const Window& window : windows_of(i, corpus.files()[i].text, n_lines, stride)) {
        entry->second.all.push_back(window);
        for (const std::string_view name : names_of(window.range.of(corpus.files()[i].text)))
          ++entry->second.n_holding[name];
      }
    }
  }
  return entry->second;
}

// The lines around the hole that a query is made of.
std::string_view query_of(const Task& task, std::size_t n_lines) {
  const std::string_view before = std::string_view(task.left).substr(0, task.hole.range.begin);
  std::size_t begin = before.size();
  for (std::size_t n = 0; n <= n_lines && begin > 0; ++n) {
    const std::size_t line_feed = before.rfind('\n', begin - 1);
    begin = line_feed == std::string_view::npos ? 0 : line_feed;
  }
  return before.substr(begin);
}

// The windows of all files but what is visible, best first by `score`.
std::vector<Piece> best_windows(const Corpus& corpus,
                                const PackTask& task,
                                std::size_t n_lines,
                                std::size_t stride,
                                const std::function<double(std::string_view)>& score) {
  struct Scored {
    double score;
    std::size_t order;
    Piece piece;
  };
  std::vector<Scored> scored;
  const auto own = static_cast<std::uint32_t>(task.task.file - corpus.files().data());
  for (const Window& window : windows_of(corpus, n_lines, stride).all) {
    if (window.file == own) continue;
    const CorpusFile& file = corpus.files()[window.file];
    const std::string_view text = window.range.of(file.text);
    const double value = score(text);
    if (value > 0) scored.push_back({-value, scored.size(), {file.path, std::string(text)}});
  }
  for (const Window& window : windows_of(own, task.task.left, n_lines, stride)) {
    if (window.range.overlaps(task.task.visible)) continue;
    const std::string_view text = window.range.of(task.task.left);
    const double value = score(text);
    if (value > 0)
      scored.push_back({-value, scored.size(), {task.task.file->path, std::string(text)}});
  }
  std::ranges::sort(scored, [](const Scored& a, const Scored& b) {
    return std::pair(a.score, a.order) < std::pair(b.score, b.order);
  });
  Filler filler(task);
  for (Scored& one : scored) {
    if (filler.is_full()) break;
    filler.add(std::move(one.piece));
  }
  return filler.take();
}

// ---- the rows

std::vector<Piece> kinglet(const Corpus& corpus, const PackTask& task) {
  const Task& hole = task.task;
  indexer::PackRequest request;
  request.path = hole.file->path;
  request.text = hole.left;
  request.cursor = ByteOffset{hole.hole.range.begin};
  request.max_lines_before = indexer::kVisibleLinesBefore;
  request.max_lines_after = indexer::kVisibleLinesAfter;
  request.shares.file = 1;
  request.typed_reserve_tokens = 0;
  request.count_tokens = task.count;
  // The visible lines fit whatever they take: a token has a byte at least.
  request.budget_tokens = task.budget + hole.shown().size();
  request.max_chunk_tokens = task.budget;
  request.read_text = [&](const std::string& path) -> std::optional<std::string> {
    const CorpusFile* file = corpus.find(path);
    if (file == nullptr) return std::nullopt;
    return file->text;
  };
  request.history = &task.history;
  request.recent = task.recent;
  const auto packed = indexer::pack(task.index, request);
  if (!packed) return {};
  std::vector<Piece> pieces;
  for (const indexer::PackedChunk& chunk : packed->chunks)
    pieces.push_back({chunk.path, chunk.text});
  return pieces;
}

std::vector<Piece> nothing(const Corpus&, const PackTask&) {
  return {};
}

std::vector<Piece> random_chunks(const Corpus& corpus, const PackTask& task) {
  auto windows = windows_of(corpus, 40, 40).all;
  std::mt19937_64 random(task.seed);
  std::ranges::shuffle(windows, random);
  Filler filler(task);
  for (const Window& window : windows) {
    const CorpusFile& file = corpus.files()[window.file];
    if (&file == task.task.file) continue;
    if (filler.is_full()) break;
    filler.add({file.path, std::string(window.range.of(file.text))});
  }
  return filler.take();
}

// As much of a file as fits, from its beginning.
void add_file(Filler& filler, const CorpusFile& file) {
  if (filler.add({file.path, file.text})) return;
  const auto lines = indexer::line_starts(file.text);
  std::size_t fits = 0;
  std::size_t too_many = lines.size();
  while (fits + 1 < too_many) {
    const std::size_t middle = fits + (too_many - fits) / 2;
    (filler.fits({file.path, file.text.substr(0, lines[middle])}) ? fits : too_many) = middle;
  }
  if (fits > 0) filler.add({file.path, file.text.substr(0, lines[fits])});
}

// The files that changed with the task's, the most often first.
std::vector<const CorpusFile*> together(const Corpus& corpus, const PackTask& task) {
  std::vector<const CorpusFile*> files;
  for (const indexer::Companion& companion : task.history.together(task.task.file->path)) {
    if (const CorpusFile* file = corpus.find(companion.path)) files.push_back(file);
  }
  return files;
}

std::vector<Piece> open_files(const Corpus& corpus, const PackTask& task) {
  Filler filler(task);
  std::vector<const CorpusFile*> files = together(corpus, task);
  if (files.size() > 4) files.resize(4);
  for (const CorpusFile* file : files) {
    if (!filler.is_full()) add_file(filler, *file);
  }
  return filler.take();
}

std::vector<Piece> path_distance(const Corpus& corpus, const PackTask& task) {
  const auto folders_of = [](std::string_view path) {
    std::vector<std::string_view> parts;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/')) {
      parts.push_back(path.substr(0, slash));
      path.remove_prefix(slash + 1);
    }
    return parts;
  };
  const auto own = folders_of(task.task.file->path);
  std::vector<std::pair<std::size_t, const CorpusFile*>> files;
  for (const CorpusFile& file : corpus.files()) {
    if (&file == task.task.file || file.language->is_data) continue;
    const auto other = folders_of(file.path);
    std::size_t n_common = 0;
    while (n_common < own.size() && n_common < other.size() && own[n_common] == other[n_common])
      ++n_common;
    files.emplace_back(own.size() + other.size() - 2 * n_common, &file);
  }
  std::ranges::stable_sort(files, {}, &std::pair<std::size_t, const CorpusFile*>::first);
  Filler filler(task);
  for (const auto& [distance, file] : files) {
    if (filler.is_full()) break;
    add_file(filler, *file);
  }
  return filler.take();
}

std::vector<Piece> bm25(const Corpus& corpus, const PackTask& task) {
  const Windows& windows = windows_of(corpus, 40, 40);
  const Names query = names_of(query_of(task.task, 20));
  const double n_windows = static_cast<double>(windows.all.size());
  std::unordered_map<std::string_view, double> idf;
  for (const std::string_view name : query) {
    const auto known = windows.n_holding.find(name);
    if (known == windows.n_holding.end()) continue;
    const double n = known->second;
    idf[name] = std::log(1 + (n_windows - n + 0.5) / (n + 0.5));
  }
  constexpr double kMeanWords = 150;
  return best_windows(corpus, task, 40, 40, [&](std::string_view text) {
    std::unordered_map<std::string_view, double> counts;
    double length = 0;
    indexer::for_each_identifier(text, [&](std::size_t, std::string_view name) {
      ++length;
      if (idf.contains(name)) ++counts[name];
    });
    double score = 0;
    for (const auto& [name, n] : counts)
      score += idf[name] * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * length / kMeanWords));
    return score;
  });
}

std::vector<Piece> jaccard_windows(const Corpus& corpus, const PackTask& task) {
  const Names query = names_of(query_of(task.task, 20));
  return best_windows(
      corpus, task, 20, 10, [&](std::string_view text) { return jaccard(query, names_of(text)); });
}

// Places that an editor's user would have been at: the beginnings of files that change together
// with this one and lie near it, as chunks of 64 lines without near-duplicates, the latest last.
std::vector<Piece> ring(const Corpus& corpus, const PackTask& task) {
  constexpr std::size_t kLines = 64;
  std::mt19937_64 random(task.seed);
  std::vector<const CorpusFile*> files = together(corpus, task);
  files.push_back(task.task.file);
  const Names shown = names_of(task.task.shown());
  std::vector<Names> taken;
  std::vector<std::string> texts;
  Filler filler(task);
  for (int visit = 0; visit < 64 && !filler.is_full(); ++visit) {
    const CorpusFile& file = *files[random() % files.size()];
    const std::string_view text =
        &file == task.task.file ? std::string_view(task.task.left) : file.text;
    const auto windows = windows_of(0, text, kLines, kLines);
    if (windows.empty()) continue;
    const Window& window = windows[random() % windows.size()];
    if (&file == task.task.file && window.range.overlaps(task.task.visible)) continue;
    const std::string chunk(window.range.of(text));
    const Names names = names_of(chunk);
    if (jaccard(names, shown) > 0.5) continue;
    texts.push_back(chunk);
    if (std::ranges::any_of(taken, [&](const Names& other) {
          return jaccard(names_of(texts.back()), other) > 0.9;
        }))
      continue;
    filler.add({file.path, chunk});
    taken.push_back(names_of(texts.back()));
  }
  return filler.take();
}

// What is wanted, first: signatures of the gold symbols, then the windows that share most with the
// hole itself. No packer can know this; it says how much there is to be had.
std::vector<Piece> oracle(const Corpus& corpus, const PackTask& task) {
  Filler filler(task);
  indexer::SignatureWriter writer(task.index);
  for (const GoldSymbol& symbol : task.task.symbols) {
    for (const indexer::Symbol& definition : symbol.definitions) {
      if (filler.add({definition.path, writer.write({&definition})})) break;
    }
  }
  std::vector<Piece> pieces = filler.take();
  PackTask rest = task;
  for (const Piece& piece : pieces)
    rest.budget -= std::min(rest.budget, cost_of(piece, task.count));
  const auto gold = words_of(task.task.gold);
  std::set<std::string> grams;
  for (std::size_t i = 0; i + 4 <= gold.size(); ++i) {
    std::string gram;
    for (std::size_t k = 0; k < 4; ++k)
      gram += std::string(gold[i + k]) + ' ';
    grams.insert(std::move(gram));
  }
  auto similar = best_windows(corpus, rest, 20, 10, [&](std::string_view text) {
    const auto words = words_of(text);
    std::set<std::string> held;
    for (std::size_t i = 0; i + 4 <= words.size(); ++i) {
      std::string gram;
      for (std::size_t k = 0; k < 4; ++k)
        gram += std::string(words[i + k]) + ' ';
      if (grams.contains(gram)) held.insert(std::move(gram));
    }
    return static_cast<double>(held.size());
  });
  std::ranges::move(similar, std::back_inserter(pieces));
  return pieces;
}

}  // namespace

std::span<const Packer> all_packers() {
  static const std::array kPackers = {
      Packer{"kinglet", "ours", kinglet},
      Packer{"nothing", "the visible lines alone", nothing},
      Packer{"random", "chunks of 40 lines by chance", random_chunks},
      Packer{"open-files", "the four files that changed with this one most", open_files},
      Packer{"path-distance", "whole files, the nearest folder first", path_distance},
      Packer{"bm25", "chunks of 40 lines by BM25 with the 20 lines before", bm25},
      Packer{"jaccard",
             "windows of 20 lines by Jaccard's index with the 20 lines before",
             jaccard_windows},
      Packer{"repo-map", "signatures by a personalised PageRank, as aider's map", repo_map},
      Packer{"ring", "chunks of 64 lines from places visited, as llama.vim's ring", ring},
      Packer{"oracle", "knows the hole: a ceiling", oracle},
  };
  return kPackers;
}

std::size_t cost_of(const Piece& piece, const CountTokens& count) {
  return count(piece.path + "\n") + count(piece.text);
}

}  // namespace kinglet::bench
