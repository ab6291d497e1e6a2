// The weights are those of its repomap.py: an identifier counts tenfold when it is mentioned,
// tenfold when it is a compound of at least eight bytes, a tenth when it begins with '_', a tenth
// when more than five files define it; a file that is being worked on refers fifty times as
// strongly; uses count by their square root. Rank flows along uses, is divided among the
// definitions it flows to, and a map is as many of the best as fit: found by halving, here never
// over the budget.
#include "tests/bench/context/repo_map.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "indexer/context/signature_writer.h"
#include "indexer/identifiers.h"

namespace kinglet::bench {
namespace {

constexpr double kDamping = 0.85;
constexpr int kRounds = 40;

bool is_compound(std::string_view name) {
  const bool has_letter =
      std::ranges::any_of(name, [](unsigned char c) { return std::isalpha(c); });
  const bool has_upper = std::ranges::any_of(name, [](unsigned char c) { return std::isupper(c); });
  const bool has_lower = std::ranges::any_of(name, [](unsigned char c) { return std::islower(c); });
  return (name.find('_') != std::string_view::npos && has_letter) || (has_upper && has_lower);
}

// The part of the graph that is the same for every place: who defines and who uses a name.
struct Graph {
  struct Name {
    std::string name;
    std::vector<std::uint32_t> definers;
    std::vector<std::pair<std::uint32_t, double>> users;  // with the number of uses
  };
  std::vector<Name> names;
};

const Graph& graph_of(const Corpus& corpus) {
  static std::unordered_map<const Corpus*, Graph> graphs;
  const auto [entry, is_new] = graphs.try_emplace(&corpus);
  Graph& graph = entry->second;
  if (!is_new) return graph;
  std::map<std::string_view, std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < corpus.files().size(); ++i)
    numbers[corpus.files()[i].path] = i;
  std::map<std::string, std::set<std::uint32_t>> definers;
  for (std::uint32_t i = 0; i < corpus.files().size(); ++i) {
    for (const indexer::Symbol& symbol : corpus.index().definitions_in(corpus.files()[i].path))
      definers[symbol.definition.name].insert(i);
  }
  for (const auto& [name, files] : definers) {
    Graph::Name entry_of{name, {files.begin(), files.end()}, {}};
    for (const indexer::ReferenceSite& site : corpus.index().references(name))
      entry_of.users.emplace_back(numbers[site.path], static_cast<double>(site.offsets.size()));
    if (!entry_of.users.empty()) graph.names.push_back(std::move(entry_of));
  }
  return graph;
}

}  // namespace

std::vector<Piece> repo_map(const Corpus& corpus, const PackTask& task) {
  const Graph& graph = graph_of(corpus);
  const std::size_t n_files = corpus.files().size();
  const auto current = static_cast<std::uint32_t>(task.task.file - corpus.files().data());
  std::unordered_set<std::string_view> mentioned;
  indexer::for_each_identifier(task.task.shown(),
                               [&](std::size_t, std::string_view name) { mentioned.insert(name); });

  struct Edge {
    std::uint32_t from, to, name;
    double weight;
  };
  std::vector<Edge> edges;
  std::vector<double> out(n_files, 0);
  for (std::uint32_t i = 0; i < graph.names.size(); ++i) {
    const Graph::Name& name = graph.names[i];
    double factor = mentioned.contains(name.name) ? 10 : 1;
    if (name.name.size() >= 8 && is_compound(name.name)) factor *= 10;
    if (name.name.starts_with('_')) factor *= 0.1;
    if (name.definers.size() > 5) factor *= 0.1;
    for (const auto& [user, n_uses] : name.users) {
      const double weight = factor * (user == current ? 50 : 1) * std::sqrt(n_uses);
      for (const std::uint32_t definer : name.definers) {
        edges.push_back({user, definer, i, weight});
        out[user] += weight;
      }
    }
  }
  std::vector<double> rank(n_files, 1.0 / static_cast<double>(n_files));
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> next(n_files, 0);
    double lost = 1 - kDamping;
    for (std::size_t i = 0; i < n_files; ++i)
      lost += out[i] > 0 ? 0 : kDamping * rank[i];
    next[current] += lost;  // who asks is where a walk begins
    for (const Edge& edge : edges)
      next[edge.to] += kDamping * rank[edge.from] * edge.weight / out[edge.from];
    rank = std::move(next);
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> of_definition;  // file, name
  for (const Edge& edge : edges)
    of_definition[{edge.to, edge.name}] += rank[edge.from] * edge.weight / out[edge.from];
  std::vector<std::tuple<double, std::uint32_t, std::uint32_t>> ranked;
  for (const auto& [place, value] : of_definition) {
    if (place.first != current) ranked.emplace_back(-value, place.first, place.second);
  }
  std::ranges::sort(ranked);

  indexer::SignatureWriter writer(task.index);
  std::map<std::string, std::vector<indexer::Symbol>> known;
  const auto definitions_in = [&](const std::string& path) -> const std::vector<indexer::Symbol>& {
    const auto [entry, is_new] = known.try_emplace(path);
    if (is_new) entry->second = task.index.definitions_in(path);
    return entry->second;
  };
  const auto render = [&](std::size_t n) {
    std::map<std::string, std::set<std::string>> names;
    for (std::size_t i = 0; i < n; ++i)
      names[corpus.files()[std::get<1>(ranked[i])].path].insert(
          graph.names[std::get<2>(ranked[i])].name);
    std::vector<Piece> pieces;
    for (const auto& [path, wanted] : names) {
      std::vector<const indexer::Symbol*> symbols;
      for (const indexer::Symbol& symbol : definitions_in(path)) {
        if (wanted.contains(symbol.definition.name)) symbols.push_back(&symbol);
      }
      Piece piece{path, writer.write(std::move(symbols))};
      if (!piece.text.empty()) pieces.push_back(std::move(piece));
    }
    return pieces;
  };
  std::size_t fits = 0;
  std::size_t too_many = ranked.size() + 1;
  while (fits + 1 < too_many) {
    const std::size_t middle = fits + (too_many - fits) / 2;
    std::size_t n_tokens = 0;
    for (const Piece& piece : render(middle))
      n_tokens += cost_of(piece, task.count);
    (n_tokens <= task.budget ? fits : too_many) = middle;
  }
  return render(fits);
}

}  // namespace kinglet::bench
