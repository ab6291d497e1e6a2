#include "indexer/import_graph.h"

#include <algorithm>
#include <unordered_map>

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxModules = 64;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\"";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::optional<std::string> module_name(std::string_view go_mod) {
  for (std::size_t at = 0; at < go_mod.size();) {
    const std::size_t end = std::min(go_mod.find('\n', at), go_mod.size());
    const std::string_view line = trimmed(go_mod.substr(at, end - at));
    if (line.starts_with("module ")) return std::string(trimmed(line.substr(7)));
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace

Result<ImportGraph> ImportGraph::build(const Snapshot& snapshot,
                                       const ReadText& read,
                                       const std::stop_token& stop) {
  const auto cancelled = [] { return fail(ErrorCode::kCancelled, "cancelled"); };
  const std::vector<FileInfo> files = snapshot.files();
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const FileInfo& file : files)
    paths.push_back(file.path);
  ImportGraph graph;
  graph.paths_ = PathTable(std::move(paths));
  if (read) {
    for (const std::uint32_t file : graph.paths_.ending_with("go.mod", kMaxModules)) {
      const std::string path(graph.paths_[file]);
      const auto text = read(path);
      auto name = text ? module_name(*text) : std::nullopt;
      if (name && !name->empty()) {
        graph.go_modules_.push_back({std::string(folder_of(path)), *std::move(name)});
      }
    }
  }

  // The same words in the same folder mean the same, whoever of it says them: only Rust looks at
  // the file's own name.
  std::unordered_map<std::string, std::vector<ImportedFile>> known;
  std::string_view known_folder;
  std::vector<ImportedFile> edges;  // of one file
  std::vector<std::uint32_t> n_importers(files.size() + 1, 0);
  graph.first_edge_.reserve(files.size() + 1);
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    if (i % 64 == 0 && stop.stop_requested()) return cancelled();
    graph.first_edge_.push_back(static_cast<std::uint32_t>(graph.edges_.size()));
    const FileInfo& file = files[i];
    if (folder_of(file.path) != known_folder) known.clear();
    known_folder = folder_of(file.path);
    const bool depends_on_name = file.language == "rust";
    edges.clear();
    for (const Import& import : snapshot.imports_of(file.path)) {
      const auto resolved = [&]() -> std::vector<ImportedFile> {
        return resolve_import(graph.context(), file.language, file.path, import.target);
      };
      if (depends_on_name) {
        const auto found = resolved();
        edges.insert(edges.end(), found.begin(), found.end());
        continue;
      }
      const auto [entry, is_new] = known.try_emplace(file.language + " " + import.target);
      if (is_new) entry->second = resolved();
      edges.insert(edges.end(), entry->second.begin(), entry->second.end());
    }
    std::ranges::sort(edges, [](const ImportedFile& a, const ImportedFile& b) {
      return a.file != b.file ? a.file < b.file : a.confidence > b.confidence;
    });
    const auto is_same = [](const ImportedFile& a, const ImportedFile& b) {
      return a.file == b.file;
    };
    edges.erase(std::unique(edges.begin(), edges.end(), is_same), edges.end());
    std::erase_if(edges, [&](const ImportedFile& edge) { return edge.file == i; });
    for (const ImportedFile& edge : edges)
      ++n_importers[edge.file + 1];
    graph.edges_.insert(graph.edges_.end(), edges.begin(), edges.end());
  }
  graph.first_edge_.push_back(static_cast<std::uint32_t>(graph.edges_.size()));

  for (std::size_t i = 1; i < n_importers.size(); ++i)
    n_importers[i] += n_importers[i - 1];
  graph.first_reverse_ = n_importers;
  graph.reverse_.resize(graph.edges_.size());
  for (std::uint32_t from = 0; from < files.size(); ++from) {
    for (const ImportedFile& edge : graph.imports(from))
      graph.reverse_[n_importers[edge.file]++] = {from, edge.confidence};
  }
  return graph;
}

std::span<const ImportedFile> ImportGraph::imports(std::uint32_t file) const {
  if (std::size_t{file} + 1 >= first_edge_.size()) return {};
  return std::span(edges_).subspan(first_edge_[file], first_edge_[file + 1] - first_edge_[file]);
}

std::span<const ImportedFile> ImportGraph::importers(std::uint32_t file) const {
  if (std::size_t{file} + 1 >= first_reverse_.size()) return {};
  return std::span(reverse_).subspan(first_reverse_[file],
                                     first_reverse_[file + 1] - first_reverse_[file]);
}

std::size_t ImportGraph::memory() const {
  std::size_t bytes = (edges_.size() + reverse_.size()) * sizeof(ImportedFile) +
                      (first_edge_.size() + first_reverse_.size()) * sizeof(std::uint32_t);
  for (const std::string& path : paths_.all())
    bytes += path.capacity() + sizeof(std::string) + 4 * sizeof(std::uint32_t);
  return bytes;
}

std::vector<std::pair<std::uint32_t, Reach>> reach(const ImportGraph& graph,
                                                   std::uint32_t file,
                                                   std::uint32_t max_steps,
                                                   std::size_t max_files) {
  std::unordered_map<std::uint32_t, Reach> known{{file, {0, 1}}};
  std::vector<std::uint32_t> ring = {file};
  for (std::uint32_t step = 1; step <= max_steps && !ring.empty(); ++step) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t from : ring) {
      const float before = known[from].confidence;
      for (const ImportedFile& edge : graph.imports(from)) {
        const float confidence = before * edge.confidence;
        const auto [entry, is_new] = known.try_emplace(edge.file, Reach{step, confidence});
        if (is_new) {
          if (known.size() > max_files) break;
          next.push_back(edge.file);
        } else if (entry->second.n_steps == step) {
          entry->second.confidence = std::max(entry->second.confidence, confidence);
        }
      }
    }
    ring = std::move(next);
  }
  std::vector<std::pair<std::uint32_t, Reach>> all(known.begin(), known.end());
  std::ranges::sort(all, {}, &std::pair<std::uint32_t, Reach>::first);
  return all;
}

}  // namespace kinglet::indexer
