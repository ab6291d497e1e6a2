#include "lsp/protocol.h"

#include <algorithm>
#include <array>

#include "lsp/uri.h"

namespace kinglet::lsp {
namespace {

ResponseCode code_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
      return ResponseCode::kInvalidParams;
    case ErrorCode::kCancelled:
      return ResponseCode::kRequestCancelled;
    case ErrorCode::kInternal:
    case ErrorCode::kNumeric:
      return ResponseCode::kInternalError;
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kDeviceLost:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return ResponseCode::kRequestFailed;
  }
  return ResponseCode::kInternalError;
}

// An enumerator's number, checked against the specification's first and last.
template <class E>
Result<void> read_enum(const Field& field, E first, E last, E& out) {
  std::int64_t number = 0;
  TRY(read(field, number));
  if (number < static_cast<std::int64_t>(first) || number > static_cast<std::int64_t>(last)) {
    return fail(ErrorCode::kInvalidArgument,
                field.path() + ": unknown value " + std::to_string(number));
  }
  out = static_cast<E>(number);
  return {};
}

}  // namespace

// ---- Errors

ResponseError::ResponseError(const Error& error)
    : ResponseError(code_for(error.code), error.message) {}

void to_json(Json& json, const ResponseError& error) {
  json = Json{{"code", error.code}, {"message", error.message}};
}

Result<void> read(const Field& field, ResponseError& out) {
  TRY(field.require("code", out.code));
  return field.optional("message", out.message);
}

void to_json(Json& json, Null /*value*/) {
  json = nullptr;
}

Result<void> read(const Field& /*field*/, Null& /*out*/) {
  return {};
}

// ---- Positions

std::string_view name_of(PositionEncoding encoding) {
  switch (encoding) {
    case PositionEncoding::kUtf8:
      return "utf-8";
    case PositionEncoding::kUtf16:
      return "utf-16";
    case PositionEncoding::kUtf32:
      return "utf-32";
  }
  return "utf-16";
}

void to_json(Json& json, const Position& position) {
  json = Json{{"line", position.line}, {"character", position.character}};
}

Result<void> read(const Field& field, Position& out) {
  TRY(field.require("line", out.line));
  return field.require("character", out.character);
}

void to_json(Json& json, const Range& range) {
  json = Json{{"start", range.start}, {"end", range.end}};
}

Result<void> read(const Field& field, Range& out) {
  TRY(field.require("start", out.start));
  return field.require("end", out.end);
}

// ---- Documents

void to_json(Json& json, const TextDocumentIdentifier& id) {
  json = Json{{"uri", id.uri}};
}

Result<void> read(const Field& field, TextDocumentIdentifier& out) {
  return field.require("uri", out.uri);
}

void to_json(Json& json, const VersionedTextDocumentIdentifier& id) {
  json = Json{{"uri", id.uri}, {"version", id.version}};
}

Result<void> read(const Field& field, VersionedTextDocumentIdentifier& out) {
  TRY(field.require("uri", out.uri));
  return field.require("version", out.version);
}

void to_json(Json& json, const TextDocumentItem& item) {
  json = Json{{"uri", item.uri},
              {"languageId", item.languageId},
              {"version", item.version},
              {"text", item.text}};
}

Result<void> read(const Field& field, TextDocumentItem& out) {
  TRY(field.require("uri", out.uri));
  TRY(field.optional("languageId", out.languageId));
  TRY(field.optional("version", out.version));
  return field.require("text", out.text);
}

void to_json(Json& json, const DidOpenTextDocumentParams& params) {
  json = Json{{"textDocument", params.textDocument}};
}

Result<void> read(const Field& field, DidOpenTextDocumentParams& out) {
  return field.require("textDocument", out.textDocument);
}

Result<void> read(const Field& field, TextDocumentContentChangeEvent& out) {
  TRY(field.optional("range", out.range));
  return field.require("text", out.text);
}

Result<void> read(const Field& field, DidChangeTextDocumentParams& out) {
  TextDocumentIdentifier id;
  TRY(field.require("textDocument", id));
  out.textDocument.uri = std::move(id.uri);
  auto rest = field.require("textDocument", out.textDocument);
  if (rest) rest = field.require("contentChanges", out.contentChanges);
  if (rest) return {};
  out.malformed = std::move(rest).error().message;
  out.contentChanges.clear();
  return {};
}

Result<void> read(const Field& field, DidSaveTextDocumentParams& out) {
  TRY(field.require("textDocument", out.textDocument));
  return field.optional("text", out.text);
}

void to_json(Json& json, const DidCloseTextDocumentParams& params) {
  json = Json{{"textDocument", params.textDocument}};
}

Result<void> read(const Field& field, DidCloseTextDocumentParams& out) {
  return field.require("textDocument", out.textDocument);
}

Result<void> read(const Field& field, TextDocumentPositionParams& out) {
  TRY(field.require("textDocument", out.textDocument));
  return field.require("position", out.position);
}

// ---- Progress

void to_json(Json& json, const ProgressToken& token) {
  std::visit([&](const auto& value) { json = value; }, token.value);
}

Result<void> read(const Field& field, ProgressToken& out) {
  if (field.json().is_string()) return read(field, out.value.emplace<std::string>());
  if (!field.json().is_number()) return field.mismatch("a string or a whole number");
  return read(field, out.value.emplace<std::int64_t>());
}

void to_json(Json& json, const WorkDoneProgressCreateParams& params) {
  json = Json{{"token", params.token}};
}

void to_json(Json& json, const WorkDoneProgressBegin& value) {
  json = Json{{"kind", "begin"}, {"title", value.title}, {"cancellable", value.cancellable}};
  set(json, "message", value.message);
  set(json, "percentage", value.percentage);
}

void to_json(Json& json, const WorkDoneProgressReport& value) {
  json = Json{{"kind", "report"}};
  set(json, "message", value.message);
  set(json, "percentage", value.percentage);
}

void to_json(Json& json, const WorkDoneProgressEnd& value) {
  json = Json{{"kind", "end"}};
  set(json, "message", value.message);
}

// ---- Inline completion

Result<void> read(const Field& field, InlineCompletionTriggerKind& out) {
  return read_enum(
      field, InlineCompletionTriggerKind::kInvoked, InlineCompletionTriggerKind::kAutomatic, out);
}

Result<void> read(const Field& field, SelectedCompletionInfo& out) {
  TRY(field.require("range", out.range));
  return field.require("text", out.text);
}

Result<void> read(const Field& field, InlineCompletionContext& out) {
  TRY(field.optional("triggerKind", out.triggerKind));
  return field.optional("selectedCompletionInfo", out.selectedCompletionInfo);
}

Result<void> read(const Field& field, InlineCompletionParams& out) {
  TRY(field.require("textDocument", out.textDocument));
  TRY(field.require("position", out.position));
  TRY(field.optional("context", out.context));
  TRY(field.optional("workDoneToken", out.workDoneToken));
  return field.optional("partialResultToken", out.partialResultToken);
}

void to_json(Json& json, const Command& command) {
  json = Json{{"title", command.title}, {"command", command.command}};
  if (!command.arguments.empty()) json["arguments"] = command.arguments;
}

void to_json(Json& json, const InlineCompletionItem& item) {
  json = Json{{"insertText", item.insertText}};
  set(json, "filterText", item.filterText);
  set(json, "range", item.range);
  set(json, "command", item.command);
}

void to_json(Json& json, const InlineCompletionList& list) {
  json = Json{{"items", list.items}};
}

void to_json(Json& json, const InlineCompletionResult& result) {
  json = result.list ? Json(*result.list) : Json(nullptr);
}

void to_json(Json& json, const InlineStreamValue& value) {
  json = Json{{"itemId", value.itemId},
              {"version", value.version},
              {"insertText", value.insertText},
              {"done", value.done}};
}

// ---- Life cycle

Result<void> read(const Field& field, ClientInfo& out) {
  TRY(field.optional("name", out.name));
  return field.optional("version", out.version);
}

Result<void> read(const Field& field, WorkspaceFolder& out) {
  TRY(field.require("uri", out.uri));
  return field.optional("name", out.name);
}

namespace {

// One room of the capabilities each: a nested object that is read into the flat struct.
struct GeneralCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, GeneralCapabilities& out) {
  return field.optional("positionEncodings", out.flat.positionEncodings);
}

struct WindowCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, WindowCapabilities& out) {
  return field.optional("workDoneProgress", out.flat.workDoneProgress);
}

struct DynamicRegistration {
  bool& flag;
};
Result<void> read(const Field& field, DynamicRegistration& out) {
  return field.optional("dynamicRegistration", out.flag);
}

struct WorkspaceCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, WorkspaceCapabilities& out) {
  TRY(field.optional("configuration", out.flat.configuration));
  TRY(field.optional("workspaceFolders", out.flat.workspaceFolders));
  DynamicRegistration watched{out.flat.watchedFilesDynamicRegistration};
  return field.optional("didChangeWatchedFiles", watched);
}

struct InlineCompletionCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, InlineCompletionCapabilities& out) {
  out.flat.inlineCompletion = true;
  return field.optional("dynamicRegistration", out.flat.inlineCompletionDynamicRegistration);
}

struct DefinitionCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, DefinitionCapabilities& out) {
  return field.optional("linkSupport", out.flat.definitionLinks);
}

struct DocumentSymbolCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, DocumentSymbolCapabilities& out) {
  return field.optional("hierarchicalDocumentSymbolSupport", out.flat.hierarchicalSymbols);
}

struct HoverCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, HoverCapabilities& out) {
  std::vector<std::string> formats;
  TRY(field.optional("contentFormat", formats));
  out.flat.markdownHover = std::find(formats.begin(), formats.end(), "markdown") != formats.end();
  return {};
}

struct TextDocumentCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, TextDocumentCapabilities& out) {
  DefinitionCapabilities definition{out.flat};
  TRY(field.optional("definition", definition));
  DocumentSymbolCapabilities document_symbol{out.flat};
  TRY(field.optional("documentSymbol", document_symbol));
  HoverCapabilities hover{out.flat};
  TRY(field.optional("hover", hover));
  InlineCompletionCapabilities inline_completion{out.flat};
  return field.optional("inlineCompletion", inline_completion);
}

struct KingletCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, KingletCapabilities& out) {
  return field.optional("inlineStream", out.flat.inlineStream);
}

struct ExperimentalCapabilities {
  ClientCapabilities& flat;
};
Result<void> read(const Field& field, ExperimentalCapabilities& out) {
  // Anything may stand here: other servers' extensions are no error of the client.
  if (!field.json().is_object()) return {};
  KingletCapabilities kinglet{out.flat};
  return field.optional("kinglet", kinglet);
}

}  // namespace

Result<void> read(const Field& field, ClientCapabilities& out) {
  GeneralCapabilities general{out};
  TRY(field.optional("general", general));
  WindowCapabilities window{out};
  TRY(field.optional("window", window));
  WorkspaceCapabilities workspace{out};
  TRY(field.optional("workspace", workspace));
  TextDocumentCapabilities text_document{out};
  TRY(field.optional("textDocument", text_document));
  ExperimentalCapabilities experimental{out};
  return field.optional("experimental", experimental);
}

PositionEncoding choose_position_encoding(const ClientCapabilities& capabilities) {
  for (const auto encoding :
       {PositionEncoding::kUtf8, PositionEncoding::kUtf16, PositionEncoding::kUtf32}) {
    const auto& offered = capabilities.positionEncodings;
    if (std::find(offered.begin(), offered.end(), name_of(encoding)) != offered.end()) {
      return encoding;
    }
  }
  return PositionEncoding::kUtf16;
}

std::vector<DocumentUri> InitializeParams::roots() const {
  std::vector<DocumentUri> roots;
  for (const WorkspaceFolder& folder : workspaceFolders)
    roots.push_back(folder.uri);
  if (!roots.empty()) return roots;
  if (rootUri && !rootUri->empty()) return {*rootUri};
  if (rootPath && !rootPath->empty()) return {uri_from_path(*rootPath)};
  return {};
}

Result<void> read(const Field& field, InitializeParams& out) {
  TRY(field.optional("processId", out.processId));
  TRY(field.optional("clientInfo", out.clientInfo));
  TRY(field.optional("rootPath", out.rootPath));
  TRY(field.optional("rootUri", out.rootUri));
  TRY(field.optional("initializationOptions", out.initializationOptions));
  TRY(field.optional("capabilities", out.capabilities));
  return field.optional("workspaceFolders", out.workspaceFolders);
}

void to_json(Json& json, const ServerCapabilities& capabilities) {
  json = Json{
      {"positionEncoding", name_of(capabilities.positionEncoding)},
      {"textDocumentSync",
       {{"openClose", true},
        {"change", static_cast<int>(capabilities.textDocumentSync)},
        {"save", {{"includeText", capabilities.saveIncludesText}}}}},
  };
  if (capabilities.inlineCompletionProvider) json["inlineCompletionProvider"] = Json::object();
  if (capabilities.navigationProviders) {
    for (const char* provider : {"workspaceSymbolProvider",
                                 "documentSymbolProvider",
                                 "definitionProvider",
                                 "referencesProvider",
                                 "hoverProvider",
                                 "documentHighlightProvider"}) {
      json[provider] = true;
    }
  }
  if (capabilities.workspaceFolders) {
    json["workspace"] = {
        {"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}};
  }
  if (!capabilities.commands.empty()) {
    json["executeCommandProvider"] = {{"commands", capabilities.commands}};
  }
  set(json, "experimental", capabilities.experimental);
}

void to_json(Json& json, const ServerInfo& info) {
  json = Json{{"name", info.name}, {"version", info.version}};
}

void to_json(Json& json, const InitializeResult& result) {
  json = Json{{"capabilities", result.capabilities}, {"serverInfo", result.serverInfo}};
}

// ---- Window

void to_json(Json& json, const MessageParams& params) {
  json = Json{{"type", static_cast<int>(params.type)}, {"message", params.message}};
}

// ---- Workspace

Result<void> read(const Field& field, DidChangeConfigurationParams& out) {
  return field.optional("settings", out.settings);
}

namespace {

struct WorkspaceFoldersChangeEvent {
  DidChangeWorkspaceFoldersParams& flat;
};
Result<void> read(const Field& field, WorkspaceFoldersChangeEvent& out) {
  TRY(field.optional("added", out.flat.added));
  return field.optional("removed", out.flat.removed);
}

}  // namespace

Result<void> read(const Field& field, DidChangeWorkspaceFoldersParams& out) {
  WorkspaceFoldersChangeEvent event{out};
  return field.require("event", event);
}

Result<void> read(const Field& field, FileChangeType& out) {
  return read_enum(field, FileChangeType::kCreated, FileChangeType::kDeleted, out);
}

Result<void> read(const Field& field, FileEvent& out) {
  TRY(field.require("uri", out.uri));
  return field.require("type", out.type);
}

Result<void> read(const Field& field, DidChangeWatchedFilesParams& out) {
  return field.require("changes", out.changes);
}

Result<void> read(const Field& field, ExecuteCommandParams& out) {
  TRY(field.require("command", out.command));
  return field.optional("arguments", out.arguments);
}

void to_json(Json& json, const Registration& registration) {
  json = Json{{"id", registration.id},
              {"method", registration.method},
              {"registerOptions", registration.registerOptions}};
}

void to_json(Json& json, const RegistrationParams& params) {
  json = Json{{"registrations", params.registrations}};
}

}  // namespace kinglet::lsp
