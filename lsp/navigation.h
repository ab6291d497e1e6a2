// The protocol's types for finding one's way: symbols, definitions, references, hovers. As in
// protocol.h, names are the specification's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/result.h"
#include "lsp/json.h"
#include "lsp/protocol.h"

namespace kinglet::lsp {

enum class SymbolKind {
  kFile = 1,
  kModule = 2,
  kNamespace = 3,
  kPackage = 4,
  kClass = 5,
  kMethod = 6,
  kProperty = 7,
  kField = 8,
  kConstructor = 9,
  kEnum = 10,
  kInterface = 11,
  kFunction = 12,
  kVariable = 13,
  kConstant = 14,
  kString = 15,
  kNumber = 16,
  kBoolean = 17,
  kArray = 18,
  kObject = 19,
  kKey = 20,
  kNull = 21,
  kEnumMember = 22,
  kStruct = 23,
  kEvent = 24,
  kOperator = 25,
  kTypeParameter = 26,
};

struct Location {
  DocumentUri uri;
  Range range;
  friend bool operator==(const Location&, const Location&) = default;
};
void to_json(Json& json, const Location& location);

struct LocationLink {
  std::optional<Range> originSelectionRange;
  DocumentUri targetUri;
  Range targetRange;           // the whole definition
  Range targetSelectionRange;  // its name, within targetRange
};
void to_json(Json& json, const LocationLink& link);

/// The answer to textDocument/definition: links for clients that know them, else locations.
struct DefinitionResult {
  std::variant<std::vector<Location>, std::vector<LocationLink>> places;
};
void to_json(Json& json, const DefinitionResult& result);

struct ReferenceContext {
  bool includeDeclaration = false;
};
Result<void> read(const Field& field, ReferenceContext& out);

struct ReferenceParams {
  TextDocumentIdentifier textDocument;
  Position position;
  ReferenceContext context;
};
Result<void> read(const Field& field, ReferenceParams& out);

struct MarkupContent {
  bool is_markdown = false;  // else plain text
  std::string value;
};
void to_json(Json& json, const MarkupContent& content);

/// The answer to textDocument/hover; without contents null.
struct HoverResult {
  std::optional<MarkupContent> contents;
  std::optional<Range> range;
};
void to_json(Json& json, const HoverResult& result);

enum class DocumentHighlightKind { kText = 1, kRead = 2, kWrite = 3 };

struct DocumentHighlight {
  Range range;
  DocumentHighlightKind kind = DocumentHighlightKind::kText;
};
void to_json(Json& json, const DocumentHighlight& highlight);

struct DocumentSymbolParams {
  TextDocumentIdentifier textDocument;
};
Result<void> read(const Field& field, DocumentSymbolParams& out);

struct DocumentSymbol {
  std::string name;
  std::string detail;  // may be empty
  SymbolKind kind = SymbolKind::kVariable;
  Range range;           // the whole definition
  Range selectionRange;  // its name, within range
  std::vector<DocumentSymbol> children;
};
void to_json(Json& json, const DocumentSymbol& symbol);

struct SymbolInformation {
  std::string name;
  SymbolKind kind = SymbolKind::kVariable;
  Location location;
  std::string containerName;  // may be empty
};
void to_json(Json& json, const SymbolInformation& symbol);

/// The answer to textDocument/documentSymbol: a tree for clients that know it, else a list.
struct DocumentSymbolResult {
  std::variant<std::vector<SymbolInformation>, std::vector<DocumentSymbol>> symbols;
};
void to_json(Json& json, const DocumentSymbolResult& result);

struct WorkspaceSymbolParams {
  std::string query;
  std::optional<std::string> kind;     // Kinglet's extension: "function", "class", …
  std::optional<std::uint32_t> limit;  // Kinglet's extension: at most so many
};
Result<void> read(const Field& field, WorkspaceSymbolParams& out);

/// Params of kinglet/search: text or file names, in all folders of the session.
struct SearchParams {
  std::string query;
  bool files = false;  // names of files, fuzzily
  bool regex = false;
  bool ignoreCase = false;
  std::optional<std::uint32_t> limit;
};
Result<void> read(const Field& field, SearchParams& out);

/// Params of kinglet/context.
struct ContextParams {
  TextDocumentIdentifier textDocument;
  Position position;
  std::optional<std::uint32_t> budget;  // tokens of the prompt, instead of what is configured
};
Result<void> read(const Field& field, ContextParams& out);

/// Params of kinglet/explain.
struct ExplainParams {
  std::string path;  // absolute
};
Result<void> read(const Field& field, ExplainParams& out);

/// Params of kinglet/dump.
struct DumpParams {
  std::uint32_t page = 0;
};
Result<void> read(const Field& field, DumpParams& out);

}  // namespace kinglet::lsp
