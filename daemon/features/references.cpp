#include "daemon/features/references.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace kinglet::daemon {
namespace {

using lsp::Json;

constexpr std::size_t kMaxLineBytes = 400;

tl::unexpected<lsp::ResponseError> failed(const Error& error) {
  return tl::unexpected(lsp::ResponseError(error));
}

indexer::ReadIndexed reader_of(IndexedTexts& texts) {
  return [&texts](const std::string& path) -> std::optional<std::string> {
    const auto text = texts.find_indexed(path);
    if (!text) return std::nullopt;
    return std::string(text->text());
  };
}

lsp::Response<std::vector<lsp::Location>> locations(const NavigationJob& job,
                                                    bool with_definitions,
                                                    const std::stop_token& stop) {
  std::vector<lsp::Location> found;
  const auto index = job.linked(stop);
  if (!index) return failed(index.error());
  const auto resolved = job.resolve(*index, stop);
  if (!resolved) return failed(resolved.error());
  if (!*resolved) return found;
  const indexer::Resolution& resolution = **resolved;
  IndexedTexts texts = job.texts();
  const auto uses =
      indexer::find_references(*index, job.path, resolution, reader_of(texts), {}, stop);
  if (!uses) return failed(uses.error());
  const auto add = [&](const std::string& path, ByteRange range, std::string_view name) {
    if (const auto place = texts.locate(path, range, name, job.encoding)) {
      found.push_back({job.uri_of(path), *place});
    }
  };
  for (const indexer::FoundUse& use : uses->uses)
    add(use.path, use.range, resolution.use.name);
  if (with_definitions) {
    if (resolution.local) add(job.path, *resolution.local, resolution.use.name);
    for (const indexer::Target& target : resolution.targets) {
      if (target.entity != resolution.targets.front().entity) continue;
      add(target.symbol.path, target.symbol.definition.name_range, target.symbol.definition.name);
    }
  }
  std::ranges::sort(found, [](const lsp::Location& a, const lsp::Location& b) {
    return std::tie(a.uri, a.range.start) < std::tie(b.uri, b.range.start);
  });
  const auto unique = std::ranges::unique(found);
  found.erase(unique.begin(), unique.end());
  return found;
}

Json reasons_of(const indexer::Target& target) {
  Json reasons = Json::array();
  for (const indexer::Reason reason : target.reasons)
    reasons.push_back(name_of(reason));
  return reasons;
}

std::string line_at(const lsp::TextBuffer& text, std::uint32_t offset) {
  std::string_view line = text.line(text.line_of(ByteOffset{offset})).of(text.text());
  const std::size_t begin = line.find_first_not_of(" \t");
  line = begin == std::string_view::npos ? std::string_view() : line.substr(begin);
  return std::string(line.substr(0, kMaxLineBytes));
}

}  // namespace

lsp::Response<std::vector<lsp::Location>> find_uses(const NavigationJob& job,
                                                    const std::stop_token& stop) {
  return locations(job, false, stop);
}

lsp::Response<std::vector<lsp::Location>> find_uses_and_definitions(const NavigationJob& job,
                                                                    const std::stop_token& stop) {
  return locations(job, true, stop);
}

lsp::Response<Json> explain_references(const NavigationJob& job, const std::stop_token& stop) {
  const auto index = job.linked(stop);
  if (!index) return failed(index.error());
  const auto resolved = job.resolve(*index, stop);
  if (!resolved) return failed(resolved.error());
  if (!*resolved) return Json();
  const indexer::Resolution& resolution = **resolved;
  IndexedTexts texts = job.texts();
  const auto uses =
      indexer::find_references(*index, job.path, resolution, reader_of(texts), {}, stop);
  if (!uses) return failed(uses.error());

  Json definitions = Json::array();
  if (resolution.local) {
    definitions.push_back(
        {{"uri", job.document.uri},
         {"range", lsp_range(*job.document.text, *resolution.local, job.encoding)},
         {"name", resolution.use.name},
         {"kind", "local"},
         {"container", ""},
         {"signature", line_at(*job.document.text, resolution.local->begin)},
         {"confidence", 0.95},
         {"reasons", {"declared in this function"}}});
  }
  for (const indexer::Target& target : resolution.targets) {
    const indexer::Definition& definition = target.symbol.definition;
    const auto range =
        texts.locate(target.symbol.path, definition.name_range, definition.name, job.encoding);
    if (!range) continue;
    definitions.push_back({{"uri", job.uri_of(target.symbol.path)},
                           {"range", *range},
                           {"name", definition.name},
                           {"kind", indexer::name_of(definition.kind)},
                           {"container", definition.container},
                           {"signature", definition.signature},
                           {"confidence", target.confidence},
                           {"reasons", reasons_of(target)}});
  }
  Json found = Json::array();
  for (const indexer::FoundUse& use : uses->uses) {
    const auto range = texts.locate(use.path, use.range, resolution.use.name, job.encoding);
    if (!range) continue;
    found.push_back({{"uri", job.uri_of(use.path)},
                     {"range", *range},
                     {"confidence", use.confidence},
                     {"text", line_at(*texts.find(use.path), use.range.begin)}});
  }
  Json files = Json::array();
  for (const indexer::TargetFile& file : resolution.files)
    files.push_back({{"uri", job.uri_of(file.path)}, {"confidence", file.confidence}});
  return Json{{"name", resolution.use.name},
              {"source", resolution.source == indexer::Source::kCompiler ? "compiler" : "syntax"},
              {"definitions", std::move(definitions)},
              {"uses", std::move(found)},
              {"files", std::move(files)},
              {"skippedFiles", uses->n_skipped_files}};
}

}  // namespace kinglet::daemon
