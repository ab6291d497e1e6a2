// usage: fit_weights [--holes N] [--seed S] FOLDER...
// Fits the weights of indexer/context/signs.cpp: hides pieces of the repositories, asks which
// definitions the pieces name, and finds the two logistic models (of names that are shown and of
// those that are not) that say it best. Prints the table. Never fit on a repository whose figures
// are reported.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "indexer/context/candidates.h"
#include "indexer/context/hole.h"
#include "indexer/history.h"
#include "tests/bench/context/corpus.h"
#include "tests/bench/context/measures.h"

namespace kinglet::bench {
namespace {

struct Sample {
  std::vector<float> signs;
  bool is_named;
  double weight;
};

// Newton's method on the log likelihood, with so much of a pull to zero for each weight.
constexpr double kRidge = 0.5;
constexpr int kRounds = 25;

// Of a symmetric positive definite matrix, row by row; solves A x = b in place.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t row = i + 1; row < n; ++row) {
      const double factor = a[row * n + i] / a[i * n + i];
      for (std::size_t k = i; k < n; ++k)
        a[row * n + k] -= factor * a[i * n + k];
      b[row] -= factor * b[i];
    }
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k)
      b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

std::vector<double> fit(const std::vector<Sample>& samples) {
  const std::size_t n = samples.front().signs.size();
  std::vector<double> weights(n, 0);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> gradient(n);
    std::vector<double> hessian(n * n);
    double loss = 0;
    for (const Sample& sample : samples) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i)
        sum += weights[i] * sample.signs[i];
      const double chance = 1 / (1 + std::exp(-sum));
      loss -= sample.weight * std::log(std::max(1e-12, sample.is_named ? chance : 1 - chance));
      const double error = sample.weight * ((sample.is_named ? 1 : 0) - chance);
      const double curve = sample.weight * chance * (1 - chance);
      for (std::size_t i = 0; i < n; ++i) {
        if (sample.signs[i] == 0) continue;
        gradient[i] += error * sample.signs[i];
        for (std::size_t k = 0; k < n; ++k)
          hessian[i * n + k] += curve * sample.signs[i] * sample.signs[k];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      gradient[i] -= kRidge * weights[i];
      hessian[i * n + i] += kRidge;
    }
    const std::vector<double> step = solve(std::move(hessian), std::move(gradient));
    double moved = 0;
    for (std::size_t i = 0; i < n; ++i) {
      weights[i] += step[i];
      moved = std::max(moved, std::abs(step[i]));
    }
    std::fprintf(stderr, "\rround %d: loss %.1f, moved %.4f   ", round + 1, loss, moved);
    if (moved < 1e-4) break;
  }
  std::fprintf(stderr, "\n");
  return weights;
}

struct Samples {
  std::vector<Sample> hidden, shown;
};

void collect(const std::string& folder, std::size_t n_holes, std::uint64_t seed, Samples& samples) {
  const Corpus corpus = Corpus::load(folder);
  const auto history = indexer::read_history(folder);
  std::vector<std::pair<const CorpusFile*, indexer::Hole>> holes;
  for (const CorpusFile& file : corpus.files()) {
    for (indexer::Hole& hole :
         indexer::find_holes(corpus.index(), file.path, *file.language, file.text))
      holes.emplace_back(&file, hole);
  }
  std::mt19937_64 random(seed);
  std::ranges::shuffle(holes, random);
  std::size_t n_used = 0;
  for (const auto& [file, hole] : holes) {
    if (n_used == n_holes) break;
    const Task task = make_task(corpus, *file, hole);
    if (task.symbols.empty()) continue;  // says nothing of what is named
    ++n_used;
    std::set<std::string_view> named;
    for (const GoldSymbol& symbol : task.symbols)
      named.insert(symbol.name);
    const indexer::Snapshot index = corpus.with(*file, task.left);
    // As the packer cuts: at the start of the hole's line and of the next one.
    const std::string_view left = task.left;
    const std::size_t line = left.substr(0, hole.range.begin).rfind('\n') + 1;
    const std::size_t next = std::min(left.find('\n', hole.range.begin), left.size() - 1) + 1;
    const std::uint32_t begin = std::min(task.visible.begin, static_cast<std::uint32_t>(line));
    const std::uint32_t end = std::max(task.visible.end, static_cast<std::uint32_t>(next));
    const auto names =
        indexer::near_names(left.substr(begin, line - begin), left.substr(next, end - next));
    indexer::SimilarRequest similar{
        .path = file->path, .text = left, .window = {begin, end}, .read_text = {}};
    similar.read_text = [&](const std::string& path) -> std::optional<std::string> {
      const CorpusFile* other = corpus.find(path);
      if (other == nullptr) return std::nullopt;
      return other->text;
    };
    std::size_t n_dropped = 0;
    const auto chunks = indexer::similar_candidates(index, names, similar, n_dropped);
    const indexer::SignatureRequest request{
        .path = file->path,
        .before = left.substr(0, line),
        .after = left.substr(next),
        .window_begin = begin,
        .similar = chunks,
        .history = history ? &*history : nullptr,
        .observe =
            [&](const indexer::SymbolView& symbol, std::span<const float> signs, bool is_shown) {
              (is_shown ? samples.shown : samples.hidden)
                  .push_back({{signs.begin(), signs.end()}, named.contains(symbol.name), 1});
            }};
    indexer::signature_candidates(index, names, request);
  }
  std::fprintf(stderr,
               "%s: %zu holes, %zu and %zu candidates so far\n",
               folder.c_str(),
               n_used,
               samples.hidden.size(),
               samples.shown.size());
}

}  // namespace
}  // namespace kinglet::bench

int main(int argc, char** argv) {
  std::vector<std::string> folders;
  std::size_t n_holes = 300;
  std::uint64_t seed = 1;
  CLI::App app("Fits the weights that signatures are ranked by");
  app.add_option("folders", folders)->required();
  app.add_option("--holes", n_holes, "Of each folder, with names in them")->capture_default_str();
  app.add_option("--seed", seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  kinglet::bench::Samples samples;
  for (const std::string& folder : folders)
    kinglet::bench::collect(folder, n_holes, seed, samples);
  const auto hidden = kinglet::bench::fit(samples.hidden);
  const auto shown = kinglet::bench::fit(samples.shown);
  for (std::size_t i = 0; i < hidden.size(); ++i)
    std::printf("    {%.2fF, %.2fF},\n", hidden[i], shown[i]);
  return 0;
}
