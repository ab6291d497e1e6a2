#include "lsp/navigation.h"

#include <utility>

namespace kinglet::lsp {

void to_json(Json& json, const Location& location) {
  json = Json{{"uri", location.uri}, {"range", location.range}};
}

void to_json(Json& json, const LocationLink& link) {
  json = Json{{"targetUri", link.targetUri},
              {"targetRange", link.targetRange},
              {"targetSelectionRange", link.targetSelectionRange}};
  set(json, "originSelectionRange", link.originSelectionRange);
}

void to_json(Json& json, const DefinitionResult& result) {
  std::visit([&](const auto& places) { json = Json(places); }, result.places);
}

Result<void> read(const Field& field, ReferenceContext& out) {
  return field.optional("includeDeclaration", out.includeDeclaration);
}

Result<void> read(const Field& field, ReferenceParams& out) {
  TRY(field.require("textDocument", out.textDocument));
  TRY(field.require("position", out.position));
  return field.optional("context", out.context);
}

void to_json(Json& json, const MarkupContent& content) {
  json = Json{{"kind", content.is_markdown ? "markdown" : "plaintext"}, {"value", content.value}};
}

void to_json(Json& json, const HoverResult& result) {
  json = nullptr;
  if (!result.contents) return;
  json = Json{{"contents", *result.contents}};
  set(json, "range", result.range);
}

void to_json(Json& json, const DocumentHighlight& highlight) {
  json = Json{{"range", highlight.range}, {"kind", static_cast<int>(highlight.kind)}};
}

Result<void> read(const Field& field, DocumentSymbolParams& out) {
  return field.require("textDocument", out.textDocument);
}

void to_json(Json& json, const DocumentSymbol& symbol) {
  json = Json{{"name", symbol.name},
              {"kind", static_cast<int>(symbol.kind)},
              {"range", symbol.range},
              {"selectionRange", symbol.selectionRange}};
  if (!symbol.detail.empty()) json["detail"] = symbol.detail;
  if (!symbol.children.empty()) json["children"] = symbol.children;
}

void to_json(Json& json, const SymbolInformation& symbol) {
  json = Json{{"name", symbol.name},
              {"kind", static_cast<int>(symbol.kind)},
              {"location", symbol.location}};
  if (!symbol.containerName.empty()) json["containerName"] = symbol.containerName;
}

void to_json(Json& json, const DocumentSymbolResult& result) {
  std::visit([&](const auto& symbols) { json = Json(symbols); }, result.symbols);
}

Result<void> read(const Field& field, WorkspaceSymbolParams& out) {
  TRY(field.optional("query", out.query));
  TRY(field.optional("kind", out.kind));
  return field.optional("limit", out.limit);
}

Result<void> read(const Field& field, SearchParams& out) {
  TRY(field.require("query", out.query));
  TRY(field.optional("files", out.files));
  TRY(field.optional("regex", out.regex));
  TRY(field.optional("ignoreCase", out.ignoreCase));
  return field.optional("limit", out.limit);
}

Result<void> read(const Field& field, ContextParams& out) {
  TRY(field.require("textDocument", out.textDocument));
  TRY(field.require("position", out.position));
  return field.optional("budget", out.budget);
}

Result<void> read(const Field& field, ExplainParams& out) {
  return field.require("path", out.path);
}

Result<void> read(const Field& field, DumpParams& out) {
  return field.optional("page", out.page);
}

}  // namespace kinglet::lsp
