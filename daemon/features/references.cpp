#include "daemon/features/references.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "daemon/features/compiler_answer.h"

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

using indexer::clang::SemanticPlace;

bool is_declaration(const SemanticPlace& place) {
  return place.role <= indexer::clang::Role::kDefinition;
}

/// Whether a place shows: what the compiler itself wrote (a copy of a class, at a variable's name)
/// is no use of the class to a reader; a function that it calls there, or a macro calls, is.
bool is_shown(const CompilerAnswer& answer, const SemanticPlace& place) {
  const indexer::SymbolKind kind = answer.symbols.front().kind;
  return !place.is_implicit || kind == indexer::SymbolKind::kFunction ||
         kind == indexer::SymbolKind::kMethod || kind == indexer::SymbolKind::kMacro;
}

/// Uses that syntax alone knows of, beside those of libclang. `in_compiled`: those too that stand
/// in code which libclang has read as it is and found no name in: inactive code, templates.
enum class InCompiled : std::uint8_t { kNo, kNameless };
Result<indexer::FoundUses> uses_beside(const NavigationJob& job,
                                       const indexer::LinkedIndex& index,
                                       IndexedTexts& texts,
                                       const CompilerAnswer& answer,
                                       InCompiled in_compiled,
                                       const std::stop_token& stop) {
  if (!answer.by_syntax) return indexer::FoundUses{};
  auto found =
      TRY(indexer::find_references(index, job.path, *answer.by_syntax, reader_of(texts), {}, stop));
  std::erase_if(found.uses, [&](const indexer::FoundUse& use) {
    if (!is_compiled(job, texts, use.path)) return false;
    return in_compiled == InCompiled::kNo ||
           has_compiled_name(job, texts, use.path, use.range.begin);
  });
  return found;
}

/// Where a use is, in the text that `texts` has.
class Collector {
 public:
  Collector(const NavigationJob& job, IndexedTexts& texts) : job_(job), texts_(texts) {}

  void add(const std::string& path, ByteRange range, std::string_view name) {
    if (const auto place = texts_.locate(path, range, name, job_.encoding)) {
      found_.push_back({job_.uri_of(path), *place});
    }
  }
  void add(const SemanticPlace& place) {
    const auto text = texts_.find_exact(place.path, place.hash);
    if (text)
      found_.push_back({job_.uri_of(place.path), lsp_range(*text, place.range, job_.encoding)});
  }
  void add(const indexer::FoundUses& uses, std::string_view name) {
    for (const indexer::FoundUse& use : uses.uses)
      add(use.path, use.range, name);
  }
  /// Of the likeliest entity.
  void add_targets(const indexer::Resolution& resolution) {
    for (const indexer::Target& target : resolution.targets) {
      if (target.entity != resolution.targets.front().entity) continue;
      add(target.symbol.path, target.symbol.definition.name_range, target.symbol.definition.name);
    }
  }

  std::vector<lsp::Location> finish() && {
    std::ranges::sort(found_, [](const lsp::Location& a, const lsp::Location& b) {
      return std::tie(a.uri, a.range.start) < std::tie(b.uri, b.range.start);
    });
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  const NavigationJob& job_;
  IndexedTexts& texts_;
  std::vector<lsp::Location> found_;
};

lsp::Response<std::vector<lsp::Location>> locations(const NavigationJob& job,
                                                    bool with_definitions,
                                                    const std::stop_token& stop) {
  const auto index = job.linked(stop);
  if (!index) return failed(index.error());
  IndexedTexts texts = job.texts();
  Collector collector(job, texts);
  const auto compiled = ask_compiler(job, *index, texts, stop);
  if (!compiled) return failed(compiled.error());
  if (*compiled) {
    const CompilerAnswer& answer = **compiled;
    const auto beside = uses_beside(job, *index, texts, answer, InCompiled::kNo, stop);
    if (!beside) return failed(beside.error());
    collector.add(*beside, answer.resolution.use.name);
    for (const SemanticPlace& place : answer.places) {
      if (is_declaration(place) ? with_definitions : is_shown(answer, place)) collector.add(place);
    }
    if (with_definitions) collector.add_targets(answer.resolution);
    return std::move(collector).finish();
  }
  const auto resolved = job.resolve(*index, stop);
  if (!resolved) return failed(resolved.error());
  if (!*resolved) return std::vector<lsp::Location>();
  const indexer::Resolution& resolution = **resolved;
  const auto uses =
      indexer::find_references(*index, job.path, resolution, reader_of(texts), {}, stop);
  if (!uses) return failed(uses.error());
  collector.add(*uses, resolution.use.name);
  if (with_definitions) {
    if (resolution.local) collector.add(job.path, *resolution.local, resolution.use.name);
    collector.add_targets(resolution);
  }
  return std::move(collector).finish();
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

struct Use {
  std::string path;
  std::uint32_t begin = 0;
  lsp::Range range;
  float confidence = 0;
  std::shared_ptr<const lsp::TextBuffer> text;
};

/// libclang's and those by syntax, by path and place.
std::vector<Use> all_uses(const NavigationJob& job,
                          IndexedTexts& texts,
                          const indexer::Resolution& resolution,
                          const indexer::FoundUses& by_syntax,
                          const std::optional<CompilerAnswer>& compiled) {
  std::vector<Use> uses;
  for (const indexer::FoundUse& use : by_syntax.uses) {
    const auto range = texts.locate(use.path, use.range, resolution.use.name);
    if (!range) continue;
    const auto text = texts.find(use.path);
    uses.push_back(
        {use.path, range->begin, lsp_range(*text, *range, job.encoding), use.confidence, text});
    // What was only weighed is no surer than what a compiler saw.
    if (compiled) uses.back().confidence = std::min(use.confidence, compiled->confidence);
  }
  if (!compiled) return uses;
  for (const SemanticPlace& place : compiled->places) {
    const auto text = texts.find_exact(place.path, place.hash);
    if (!text || is_declaration(place) || !is_shown(*compiled, place)) continue;
    uses.push_back({place.path,
                    place.range.begin,
                    lsp_range(*text, place.range, job.encoding),
                    compiled->confidence,
                    text});
  }
  std::ranges::stable_sort(uses, [](const Use& a, const Use& b) {
    return std::tie(a.path, a.begin) < std::tie(b.path, b.begin);
  });
  return uses;
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
  IndexedTexts texts = job.texts();
  const auto compiled = ask_compiler(job, *index, texts, stop);
  if (!compiled) return failed(compiled.error());
  std::optional<indexer::Resolution> resolved;
  Result<indexer::FoundUses> uses;
  if (*compiled) {
    resolved = (*compiled)->resolution;
    uses = uses_beside(job, *index, texts, **compiled, InCompiled::kNameless, stop);
  } else {
    auto by_syntax = job.resolve(*index, stop);
    if (!by_syntax) return failed(by_syntax.error());
    if (!*by_syntax) return Json();
    resolved = **std::move(by_syntax);
    uses = indexer::find_references(*index, job.path, *resolved, reader_of(texts), {}, stop);
  }
  if (!uses) return failed(uses.error());
  const indexer::Resolution& resolution = *resolved;

  Json definitions = Json::array();
  if (resolution.local) {
    definitions.push_back(
        {{"uri", job.document.uri},
         {"range", lsp_range(*job.document.text, *resolution.local, job.encoding)},
         {"name", resolution.use.name},
         {"kind", "local"},
         {"container", ""},
         {"signature", line_at(*job.document.text, resolution.local->begin)},
         {"confidence", *compiled ? (*compiled)->confidence : 0.95F},
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
  for (const Use& use : all_uses(job, texts, resolution, *uses, *compiled)) {
    found.push_back({{"uri", job.uri_of(use.path)},
                     {"range", use.range},
                     {"confidence", use.confidence},
                     {"text", line_at(*use.text, use.begin)}});
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
