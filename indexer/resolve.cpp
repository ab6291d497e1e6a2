#include "indexer/resolve.h"

#include <algorithm>
#include <utility>

#include "indexer/imports.h"
#include "indexer/locals.h"
#include "indexer/weigh.h"

namespace kinglet::indexer {
namespace {

struct Local {
  ByteRange range;
  ByteRange scope;
};
std::optional<Local> local_of(const FileContext& file, const Use& use, const Place& place) {
  if (use.access != Access::kPlain) return std::nullopt;
  for (const ByteRange& function : place.functions) {
    if (const auto range =
            find_local(file.text(), function, use.range.begin, use.name, file.family())) {
      return Local{*range, function};
    }
  }
  return std::nullopt;
}

// The files that the import at `offset` means, if the place is within the words of its target.
std::vector<TargetFile> imported_at(const LinkedIndex& all,
                                    const FileContext& file,
                                    std::uint32_t offset) {
  std::vector<TargetFile> files;
  if (!all.graph) return files;
  for (const Import& import : all.snapshot.imports_of(file.path())) {
    if (offset < import.range.begin || offset > import.range.end ||
        import.range.end > file.text().size()) {
      continue;
    }
    const std::string_view words = import.range.of(file.text());
    const std::size_t at = words.find(import.target);
    const std::size_t in = offset - import.range.begin;
    if (at == std::string_view::npos || in < at || in > at + import.target.size()) continue;
    for (const ImportedFile& found :
         resolve_import(all.graph->context(), file.language(), file.path(), import.target)) {
      files.push_back({std::string(all.graph->paths()[found.file]), found.confidence});
    }
    if (!files.empty()) break;
  }
  return files;
}

Target target_of(const Candidates::One& candidate, float confidence, std::vector<Reason> reasons) {
  return {candidate.symbol, std::min(confidence, 1.0F), candidate.entity, std::move(reasons)};
}

// A definition's own name: it, and what else is the same thing.
void add_itself(const Candidates& candidates,
                const std::string& path,
                ByteRange name,
                Resolution& resolution) {
  const auto self = std::ranges::find_if(candidates, [&](const Candidates::One& one) {
    return one.symbol.path == path && one.symbol.definition.name_range == name;
  });
  if (self == candidates.end()) return;
  resolution.is_definition = true;
  resolution.targets.push_back(target_of(*self, 1, {Reason::kItself}));
  for (const Candidates::One& other : candidates) {
    if (&other == &*self || other.entity != self->entity) continue;
    resolution.targets.push_back(
        target_of(other, level_of(Reason::kCounterpart), {Reason::kCounterpart}));
  }
}

void sort_targets(std::vector<Target>& targets) {
  std::ranges::stable_sort(targets, [](const Target& a, const Target& b) {
    if (a.confidence != b.confidence) return a.confidence > b.confidence;
    // Of one thing the body first.
    if (a.entity == b.entity && a.symbol.definition.has_body != b.symbol.definition.has_body) {
      return a.symbol.definition.has_body;
    }
    return false;
  });
}

}  // namespace

Result<std::optional<Resolution>> resolve(const LinkedIndex& all,
                                          const std::string& path,
                                          std::string_view text,
                                          std::uint32_t offset,
                                          const std::stop_token& stop) {
  FileContext file(all, path, text);
  Resolution resolution;
  resolution.files = imported_at(
      all, file, std::min<std::uint32_t>(offset, static_cast<std::uint32_t>(text.size())));
  auto use = use_at(text, offset);
  if (!use) {
    if (resolution.files.empty()) return std::optional<Resolution>();
    resolution.use.range = {offset, offset};
    return resolution;
  }
  resolution.use = *std::move(use);
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
  const Candidates candidates(all, resolution.use.name);
  add_itself(candidates, path, resolution.use.range, resolution);
  if (resolution.is_definition) return resolution;
  const Place place = place_of(file, offset);
  if (const auto local = local_of(file, resolution.use, place)) {
    resolution.local = local->range;
    resolution.scope = local->scope;
    return resolution;
  }
  Scales scales(file, candidates);
  for (Scales::Weighed& one : scales.weigh(resolution.use, place)) {
    if (one.confidence < 0.01F) continue;
    resolution.targets.push_back(
        target_of(candidates.all()[one.candidate], one.confidence, std::move(one.reasons)));
  }
  sort_targets(resolution.targets);
  return resolution;
}

Result<FoundUses> find_references(const LinkedIndex& all,
                                  const std::string& path,
                                  const Resolution& resolution,
                                  const ReadIndexed& read,
                                  const ReferenceOptions& options,
                                  const std::stop_token& stop) {
  FoundUses found;
  const std::string& name = resolution.use.name;
  if (!resolution.local && resolution.targets.empty()) return found;
  const auto size = static_cast<std::uint32_t>(name.size());
  const Candidates candidates(all, name);
  const std::uint32_t entity = resolution.local ? 0 : resolution.targets.front().entity;
  std::size_t n_files = 0;
  for (const ReferenceSite& site : all.snapshot.references(name)) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
    if (resolution.local && site.path != path) continue;
    std::optional<std::string> text;
    if (n_files < options.max_files && found.uses.size() < options.max_uses) text = read(site.path);
    ++n_files;
    if (!text) {
      ++found.n_skipped_files;
      continue;
    }
    FileContext file(all, site.path, *text);
    Scales scales(file, candidates);
    for (const std::uint32_t offset : site.offsets) {
      if (found.uses.size() >= options.max_uses) break;
      if (resolution.local && !resolution.scope->contains(offset)) continue;
      if (std::string_view(*text).substr(std::min<std::size_t>(offset, text->size()), size) !=
          name) {
        continue;
      }
      const auto use = use_at(*text, offset);
      if (!use || use->name != name) continue;
      const Place place = place_of(file, offset);
      const auto local = local_of(file, *use, place);
      if (resolution.local) {
        if (use->access == Access::kPlain && use->range != *resolution.local) {
          found.uses.push_back({site.path, use->range, local ? 0.95F : 0.6F});
        }
        continue;
      }
      if (local) continue;
      float confidence = 0;
      for (const Scales::Weighed& one : scales.weigh(*use, place)) {
        if (candidates.all()[one.candidate].entity == entity) {
          confidence = std::max(confidence, one.confidence);
        }
      }
      if (confidence < options.least_confidence) continue;
      found.uses.push_back({site.path, use->range, std::min(confidence, 1.0F)});
    }
  }
  return found;
}

}  // namespace kinglet::indexer
