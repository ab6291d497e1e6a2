#include "daemon/features/definition.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "daemon/features/compiler_answer.h"
#include "lsp/uri.h"

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxTargets = 20;
constexpr std::size_t kMaxFiles = 5;
// What is less likely than this part of the likeliest is noise.
constexpr float kLeastShare = 0.35F;
constexpr float kLeastConfidence = 0.05F;

class Places {
 public:
  Places(const NavigationJob& job, IndexedTexts texts) : job_(job), texts_(std::move(texts)) {}

  void set_origin(ByteRange name) {
    if (name.size() > 0) origin_ = lsp_range(*job_.document.text, name, job_.encoding);
  }

  void add(const indexer::Symbol& symbol) {
    const indexer::Definition& definition = symbol.definition;
    const auto name =
        texts_.locate(symbol.path, definition.name_range, definition.name, job_.encoding);
    if (!name) return;
    lsp::Range whole = *name;
    if (const auto text = texts_.find_indexed(symbol.path)) {
      whole = lsp_range(*text, definition.range, job_.encoding);
    }
    add(job_.uri_of(symbol.path), whole, *name);
  }
  void add_own(ByteRange name) {
    const auto range = lsp_range(*job_.document.text, name, job_.encoding);
    add(job_.document.uri, range, range);
  }
  void add_file(const std::string& path) { add(job_.uri_of(path), {}, {}); }
  /// In a system's header, which nobody has read: its columns are bytes, and names there are ASCII.
  void add_outside(const indexer::clang::OutsidePlace& place, std::string_view name) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(place.path, error)) return;
    const auto end = place.column + static_cast<std::uint32_t>(name.size());
    const lsp::Range range{{place.line, place.column}, {place.line, end}};
    add(lsp::uri_from_path(place.path), range, range);
  }

  bool is_empty() const { return links_.empty(); }

  lsp::DefinitionResult finish() && {
    if (job_.client.definitionLinks) return {std::move(links_)};
    std::vector<lsp::Location> locations;
    for (lsp::LocationLink& link : links_)
      locations.push_back({std::move(link.targetUri), link.targetSelectionRange});
    return {std::move(locations)};
  }

 private:
  void add(lsp::DocumentUri uri, const lsp::Range& whole, const lsp::Range& name) {
    // Clients refuse a name that is not inside.
    const bool is_inside = whole.start <= name.start && name.end <= whole.end;
    links_.push_back({origin_, std::move(uri), is_inside ? whole : name, name});
  }

  const NavigationJob& job_;
  IndexedTexts texts_;
  std::optional<lsp::Range> origin_;
  std::vector<lsp::LocationLink> links_;
};

void add_resolved(const indexer::Resolution& resolution, Places& places) {
  places.set_origin(resolution.use.range);
  if (!resolution.files.empty()) {
    for (std::size_t i = 0; i < std::min(resolution.files.size(), kMaxFiles); ++i) {
      if (resolution.files[i].confidence < kLeastShare * resolution.files[0].confidence) break;
      places.add_file(resolution.files[i].path);
    }
  } else if (resolution.local) {
    places.add_own(*resolution.local);
  } else {
    for (const indexer::Target& target : likely_targets(resolution))
      places.add(target.symbol);
  }
}

}  // namespace

std::vector<indexer::Target> likely_targets(const indexer::Resolution& resolution) {
  std::vector<indexer::Target> targets = resolution.targets;
  if (resolution.is_definition) {
    if (targets.size() > 1) targets.erase(targets.begin());
    return targets;
  }
  if (targets.empty()) return targets;
  const float least = std::max(kLeastConfidence, kLeastShare * targets.front().confidence);
  std::erase_if(targets, [&](const indexer::Target& target) {
    if (target.confidence < least) return true;
    if (target.symbol.definition.has_body) return false;
    return std::ranges::any_of(resolution.targets, [&](const indexer::Target& other) {
      return other.entity == target.entity && other.symbol.definition.has_body;
    });
  });
  if (targets.size() > kMaxTargets) targets.resize(kMaxTargets);
  return targets;
}

lsp::Response<lsp::DefinitionResult> find_definition(const NavigationJob& job,
                                                     const std::stop_token& stop) {
  const auto index = job.linked(stop);
  if (!index) return tl::unexpected(lsp::ResponseError(index.error()));
  IndexedTexts texts = job.texts();
  const auto compiled = ask_compiler(job, *index, texts, stop);
  if (!compiled) return tl::unexpected(lsp::ResponseError(compiled.error()));
  Places places(job, std::move(texts));
  if (*compiled) {
    add_resolved((*compiled)->resolution, places);
    for (const auto& symbol : (*compiled)->symbols) {
      if (symbol.outside) places.add_outside(*symbol.outside, symbol.name);
    }
    if (!places.is_empty()) return std::move(places).finish();
  }
  const auto found = job.resolve(*index, stop);
  if (!found) return tl::unexpected(lsp::ResponseError(found.error()));
  if (*found) add_resolved(**found, places);
  return std::move(places).finish();
}

}  // namespace kinglet::daemon
