#include "daemon/features/document_highlight.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "daemon/features/compiler_answer.h"

namespace kinglet::daemon {
namespace {

namespace clang = indexer::clang;

std::vector<lsp::DocumentHighlight> highlights_of(const NavigationJob& job,
                                                  const CompilerAnswer& answer) {
  std::vector<lsp::DocumentHighlight> highlights;
  for (const clang::SemanticPlace& place : answer.places) {
    if (place.path != job.path || place.is_implicit) continue;
    highlights.push_back({lsp_range(*job.document.text, place.range, job.encoding),
                          place.role == clang::Role::kDefinition
                              ? lsp::DocumentHighlightKind::kWrite
                              : lsp::DocumentHighlightKind::kText});
  }
  return highlights;
}

}  // namespace

lsp::Response<std::vector<lsp::DocumentHighlight>> highlights_at(const NavigationJob& job,
                                                                 const std::stop_token& stop) {
  std::vector<lsp::DocumentHighlight> highlights;
  const auto index = job.linked(stop);
  if (!index) return tl::unexpected(lsp::ResponseError(index.error()));
  IndexedTexts texts = job.texts();
  const auto compiled = ask_compiler(job, *index, texts, stop);
  if (!compiled) return tl::unexpected(lsp::ResponseError(compiled.error()));
  if (*compiled) return highlights_of(job, **compiled);
  const auto found = job.resolve(*index, stop);
  if (!found) return tl::unexpected(lsp::ResponseError(found.error()));
  if (!*found || (*found)->use.name.empty()) return highlights;
  const indexer::Resolution& resolution = **found;
  const std::string& name = resolution.use.name;
  const auto add = [&](ByteRange range, lsp::DocumentHighlightKind kind) {
    const auto place = texts.locate(job.path, range, name, job.encoding);
    if (place) highlights.push_back({*place, kind});
  };
  if (!resolution.local && resolution.targets.empty()) {
    // Nothing of ours: all that is written the same.
    for (const indexer::ReferenceSite& site : job.at.index.references(name)) {
      if (site.path != job.path) continue;
      for (const std::uint32_t offset : site.offsets) {
        add({offset, offset + static_cast<std::uint32_t>(name.size())},
            lsp::DocumentHighlightKind::kText);
      }
    }
  } else {
    // A document that has changed since is looked into as it was: places are moved below.
    const auto read = [&](const std::string& path) -> std::optional<std::string> {
      if (path != job.path) return std::nullopt;
      return std::string(job.document.text->text());
    };
    const auto uses = indexer::find_references(*index, job.path, resolution, read, {}, stop);
    if (!uses) return tl::unexpected(lsp::ResponseError(uses.error()));
    for (const indexer::FoundUse& use : uses->uses)
      add(use.range, lsp::DocumentHighlightKind::kText);
  }
  if (resolution.local) add(*resolution.local, lsp::DocumentHighlightKind::kWrite);
  for (const indexer::Target& target : resolution.targets) {
    if (target.symbol.path != job.path) continue;
    if (target.entity != resolution.targets.front().entity) continue;
    add(target.symbol.definition.name_range, lsp::DocumentHighlightKind::kWrite);
  }
  std::stable_sort(highlights.begin(), highlights.end(), [](const auto& a, const auto& b) {
    return a.range.start < b.range.start;
  });
  const auto is_same = [](const auto& a, const auto& b) { return a.range == b.range; };
  highlights.erase(std::unique(highlights.begin(), highlights.end(), is_same), highlights.end());
  return highlights;
}

}  // namespace kinglet::daemon
