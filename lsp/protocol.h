// The Language Server Protocol 3.18, as far as Kinglet speaks it. Names are the specification's
// (camelCase members: the one exception to our naming), grown as needed. What a client may leave
// out is std::optional or has the specification's default; members we do not know are ignored.
//
// read() checks types and names the member in its error (InvalidParams); to_json() writes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/base/result.h"
#include "lsp/json.h"

namespace kinglet::lsp {

// ---- Errors

enum class ResponseCode : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  kServerNotInitialized = -32002,
  kRequestFailed = -32803,  // valid, and not possible
  kServerCancelled = -32802,
  kContentModified = -32801,
  kRequestCancelled = -32800,
};

struct ResponseError {
  // An int, since a client's error may bear any number.
  int code = 0;
  std::string message;

  ResponseError() = default;
  ResponseError(ResponseCode the_code, std::string the_message)
      : code(static_cast<int>(the_code)), message(std::move(the_message)) {}
  /// The only place where our codes become the protocol's.
  ResponseError(const Error& error);  // NOLINT(google-explicit-constructor): TRY() converts
};
void to_json(Json& json, const ResponseError& error);
Result<void> read(const Field& field, ResponseError& out);

/// The outcome of a request, either way. A Result<T>'s error converts (so does TRY()'s).
template <class T>
using Response = tl::expected<T, ResponseError>;

inline tl::unexpected<ResponseError> fail(ResponseCode code, std::string message) {
  return tl::unexpected(ResponseError(code, std::move(message)));
}

/// `null`, for results and params that have nothing to say.
struct Null {};
void to_json(Json& json, Null value);
/// Accepts anything: for methods whose params we do not look at.
Result<void> read(const Field& field, Null& out);

// ---- Positions

enum class PositionEncoding { kUtf8, kUtf16, kUtf32 };
std::string_view name_of(PositionEncoding encoding);  // "utf-8"

/// Zero-based; `character` counts units of the negotiated encoding.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t character = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the comparison's 0 for a pointer
  friend auto operator<=>(const Position&, const Position&) = default;
};
void to_json(Json& json, const Position& position);
Result<void> read(const Field& field, Position& out);

/// End exclusive.
struct Range {
  Position start;
  Position end;
  friend bool operator==(const Range&, const Range&) = default;
};
void to_json(Json& json, const Range& range);
Result<void> read(const Field& field, Range& out);

// ---- Documents

using DocumentUri = std::string;

struct TextDocumentIdentifier {
  DocumentUri uri;
};
void to_json(Json& json, const TextDocumentIdentifier& id);
Result<void> read(const Field& field, TextDocumentIdentifier& out);

struct VersionedTextDocumentIdentifier {
  DocumentUri uri;
  std::int32_t version = 0;
};
void to_json(Json& json, const VersionedTextDocumentIdentifier& id);
Result<void> read(const Field& field, VersionedTextDocumentIdentifier& out);

struct TextDocumentItem {
  DocumentUri uri;
  std::string languageId;
  std::int32_t version = 0;
  std::string text;
};
void to_json(Json& json, const TextDocumentItem& item);
Result<void> read(const Field& field, TextDocumentItem& out);

struct DidOpenTextDocumentParams {
  TextDocumentItem textDocument;
};
void to_json(Json& json, const DidOpenTextDocumentParams& params);
Result<void> read(const Field& field, DidOpenTextDocumentParams& out);

struct TextDocumentContentChangeEvent {
  std::optional<Range> range;  // absent: `text` is the whole document
  std::string text;
};
Result<void> read(const Field& field, TextDocumentContentChangeEvent& out);

struct DidChangeTextDocumentParams {
  VersionedTextDocumentIdentifier textDocument;
  std::vector<TextDocumentContentChangeEvent> contentChanges;
  /// Why the version or the changes could not be read. Kept instead of failing the whole message:
  /// the document it names is then known to be wrong, which must not be missed.
  std::optional<std::string> malformed;
};
Result<void> read(const Field& field, DidChangeTextDocumentParams& out);

struct DidSaveTextDocumentParams {
  TextDocumentIdentifier textDocument;
  std::optional<std::string> text;
};
Result<void> read(const Field& field, DidSaveTextDocumentParams& out);

struct DidCloseTextDocumentParams {
  TextDocumentIdentifier textDocument;
};
void to_json(Json& json, const DidCloseTextDocumentParams& params);
Result<void> read(const Field& field, DidCloseTextDocumentParams& out);

struct TextDocumentPositionParams {
  TextDocumentIdentifier textDocument;
  Position position;
};
Result<void> read(const Field& field, TextDocumentPositionParams& out);

// ---- Progress

struct ProgressToken {
  std::variant<std::int64_t, std::string> value;
  friend bool operator==(const ProgressToken&, const ProgressToken&) = default;
};
void to_json(Json& json, const ProgressToken& token);
Result<void> read(const Field& field, ProgressToken& out);

/// Params of `$/progress`; T is what the token's owner expects.
template <class T>
struct ProgressParams {
  ProgressToken token;
  T value;
};
template <class T>
void to_json(Json& json, const ProgressParams<T>& params) {
  json = Json{{"token", params.token}, {"value", params.value}};
}

struct WorkDoneProgressCreateParams {
  ProgressToken token;
};
void to_json(Json& json, const WorkDoneProgressCreateParams& params);

struct WorkDoneProgressBegin {
  std::string title;
  std::optional<std::string> message;
  std::optional<std::uint32_t> percentage;  // 0 to 100; absent: unknown
  bool cancellable = false;
};
void to_json(Json& json, const WorkDoneProgressBegin& value);

struct WorkDoneProgressReport {
  std::optional<std::string> message;
  std::optional<std::uint32_t> percentage;
};
void to_json(Json& json, const WorkDoneProgressReport& value);

struct WorkDoneProgressEnd {
  std::optional<std::string> message;
};
void to_json(Json& json, const WorkDoneProgressEnd& value);

// ---- Inline completion

enum class InlineCompletionTriggerKind { kInvoked = 1, kAutomatic = 2 };
Result<void> read(const Field& field, InlineCompletionTriggerKind& out);

/// What the completion menu has selected; an item must replace this range and extend this text.
struct SelectedCompletionInfo {
  Range range;
  std::string text;
};
Result<void> read(const Field& field, SelectedCompletionInfo& out);

struct InlineCompletionContext {
  InlineCompletionTriggerKind triggerKind = InlineCompletionTriggerKind::kAutomatic;
  std::optional<SelectedCompletionInfo> selectedCompletionInfo;
};
Result<void> read(const Field& field, InlineCompletionContext& out);

struct InlineCompletionParams {
  TextDocumentIdentifier textDocument;
  Position position;
  InlineCompletionContext context;
  std::optional<ProgressToken> workDoneToken;
  std::optional<ProgressToken> partialResultToken;  // Kinglet's extension: see InlineStreamValue
};
Result<void> read(const Field& field, InlineCompletionParams& out);

struct Command {
  std::string title;
  std::string command;
  std::vector<Json> arguments;
};
void to_json(Json& json, const Command& command);

struct InlineCompletionItem {
  std::string insertText;  // plain text, no snippet
  std::optional<std::string> filterText;
  std::optional<Range> range;  // on one line
  std::optional<Command> command;
};
void to_json(Json& json, const InlineCompletionItem& item);

struct InlineCompletionList {
  std::vector<InlineCompletionItem> items;
};
void to_json(Json& json, const InlineCompletionList& list);

/// The answer to textDocument/inlineCompletion; without a list null: the request is outdated.
struct InlineCompletionResult {
  std::optional<InlineCompletionList> list;
};
void to_json(Json& json, const InlineCompletionResult& result);

/// Kinglet's extension. The standard's partial results add items and cannot grow one; a client that
/// sent `capabilities.experimental.kinglet.inlineStream` and a partialResultToken gets this as the
/// value of `$/progress` instead. The final result still holds the whole list.
struct InlineStreamValue {
  std::string itemId;
  std::int32_t version = 0;  // of the document the item belongs to
  std::string insertText;    // whole so far, not a delta: a lost one costs nothing
  bool done = false;
};
void to_json(Json& json, const InlineStreamValue& value);

// ---- Life cycle

struct ClientInfo {
  std::string name;
  std::optional<std::string> version;
};
Result<void> read(const Field& field, ClientInfo& out);

struct WorkspaceFolder {
  DocumentUri uri;
  std::string name;
};
Result<void> read(const Field& field, WorkspaceFolder& out);

/// The client's capabilities we look at, flattened; the wire's path is beside each.
struct ClientCapabilities {
  std::vector<std::string> positionEncodings;    // general.positionEncodings
  bool workDoneProgress = false;                 // window.workDoneProgress
  bool configuration = false;                    // workspace.configuration
  bool workspaceFolders = false;                 // workspace.workspaceFolders
  bool watchedFilesDynamicRegistration = false;  // workspace.didChangeWatchedFiles.…
  bool inlineCompletion = false;                 // textDocument.inlineCompletion is there
  bool inlineCompletionDynamicRegistration = false;
  bool inlineStream = false;     // experimental.kinglet.inlineStream
  bool definitionLinks = false;  // textDocument.definition.linkSupport
  bool hierarchicalSymbols =
      false;                   // textDocument.documentSymbol.hierarchicalDocumentSymbolSupport
  bool markdownHover = false;  // textDocument.hover.contentFormat names "markdown"
};
Result<void> read(const Field& field, ClientCapabilities& out);

/// UTF-8 if the client can (our texts are UTF-8), else UTF-16, which all must know; UTF-32 only for
/// a client that names it and not UTF-16.
PositionEncoding choose_position_encoding(const ClientCapabilities& capabilities);

struct InitializeParams {
  std::optional<std::int64_t> processId;
  std::optional<ClientInfo> clientInfo;
  std::optional<std::string> rootPath;  // deprecated, still sent
  std::optional<DocumentUri> rootUri;
  std::optional<Json> initializationOptions;
  ClientCapabilities capabilities;
  std::vector<WorkspaceFolder> workspaceFolders;

  /// The folders' URIs: workspaceFolders, else rootUri, else rootPath as a URI, else none.
  std::vector<DocumentUri> roots() const;
};
Result<void> read(const Field& field, InitializeParams& out);

enum class TextDocumentSyncKind { kNone = 0, kFull = 1, kIncremental = 2 };

struct ServerCapabilities {
  PositionEncoding positionEncoding = PositionEncoding::kUtf16;
  TextDocumentSyncKind textDocumentSync = TextDocumentSyncKind::kIncremental;
  bool saveIncludesText = true;  // textDocumentSync.save.includeText: heals what is not synced
  bool inlineCompletionProvider = false;
  /// workspaceSymbolProvider, documentSymbolProvider, definitionProvider, referencesProvider,
  /// hoverProvider and documentHighlightProvider.
  bool navigationProviders = false;
  bool workspaceFolders = false;      // workspace.workspaceFolders: supported, with notifications
  std::vector<std::string> commands;  // executeCommandProvider
  std::optional<Json> experimental;
};
void to_json(Json& json, const ServerCapabilities& capabilities);

struct ServerInfo {
  std::string name;
  std::string version;
};
void to_json(Json& json, const ServerInfo& info);

struct InitializeResult {
  ServerCapabilities capabilities;
  ServerInfo serverInfo;
};
void to_json(Json& json, const InitializeResult& result);

// ---- Window

enum class MessageType { kError = 1, kWarning = 2, kInfo = 3, kLog = 4, kDebug = 5 };

/// Params of window/logMessage and window/showMessage.
struct MessageParams {
  MessageType type = MessageType::kInfo;
  std::string message;
};
void to_json(Json& json, const MessageParams& params);

// ---- Workspace

struct DidChangeConfigurationParams {
  Json settings;
};
Result<void> read(const Field& field, DidChangeConfigurationParams& out);

struct DidChangeWorkspaceFoldersParams {
  std::vector<WorkspaceFolder> added;    // event.added
  std::vector<WorkspaceFolder> removed;  // event.removed
};
Result<void> read(const Field& field, DidChangeWorkspaceFoldersParams& out);

enum class FileChangeType { kCreated = 1, kChanged = 2, kDeleted = 3 };
Result<void> read(const Field& field, FileChangeType& out);

struct FileEvent {
  DocumentUri uri;
  FileChangeType type = FileChangeType::kChanged;
};
Result<void> read(const Field& field, FileEvent& out);

struct DidChangeWatchedFilesParams {
  std::vector<FileEvent> changes;
};
Result<void> read(const Field& field, DidChangeWatchedFilesParams& out);

struct ExecuteCommandParams {
  std::string command;
  std::vector<Json> arguments;
};
Result<void> read(const Field& field, ExecuteCommandParams& out);

struct Registration {
  std::string id;
  std::string method;
  Json registerOptions;
};
void to_json(Json& json, const Registration& registration);

struct RegistrationParams {
  std::vector<Registration> registrations;
};
void to_json(Json& json, const RegistrationParams& params);

}  // namespace kinglet::lsp
