#include "lsp/protocol.h"

#include <doctest/doctest.h>

#include <string>

namespace kinglet::lsp {
namespace {

template <class T>
Result<T> from(const char* text) {
  return read_json<T>(*parse_json(text), "params");
}

template <class T>
std::string error_of(const char* text) {
  const auto value = from<T>(text);
  return value ? "fine" : value.error().message;
}

PositionEncoding chosen(const char* encodings) {
  std::string text = R"({"general":{"positionEncodings":)";
  text += encodings;
  text += "}}";
  return choose_position_encoding(*from<ClientCapabilities>(text.c_str()));
}

}  // namespace

TEST_SUITE("lsp/protocol") {
  TEST_CASE("initialize as VS Code sends it") {
    const auto params = from<InitializeParams>(R"({
      "processId": 4711, "clientInfo": {"name": "Visual Studio Code", "version": "1.91.0"},
      "locale": "en", "rootPath": "/r", "rootUri": "file:///r", "trace": "off",
      "capabilities": {
        "general": {"positionEncodings": ["utf-16"], "regularExpressions": {"engine": "ECMAScript"}},
        "window": {"workDoneProgress": true},
        "workspace": {"configuration": true, "workspaceFolders": true,
                      "didChangeWatchedFiles": {"dynamicRegistration": true}},
        "textDocument": {"inlineCompletion": {"dynamicRegistration": true}}},
      "initializationOptions": {"model": "x"},
      "workspaceFolders": [{"uri": "file:///r", "name": "r"}, {"uri": "file:///s", "name": "s"}]})");
    REQUIRE(params);
    CHECK(params->processId == 4711);
    CHECK(params->clientInfo->name == "Visual Studio Code");
    CHECK(params->initializationOptions->at("model") == "x");
    CHECK(params->capabilities.workDoneProgress);
    CHECK(params->capabilities.configuration);
    CHECK(params->capabilities.watchedFilesDynamicRegistration);
    CHECK(params->capabilities.inlineCompletion);
    CHECK(params->capabilities.inlineCompletionDynamicRegistration);
    CHECK(!params->capabilities.inlineStream);
    CHECK(params->roots() == std::vector<DocumentUri>{"file:///r", "file:///s"});
  }

  TEST_CASE("a client without folders has the root it names, or none") {
    CHECK(from<InitializeParams>(R"({"rootPath":"/a b","rootUri":"file:///r"})")->roots() ==
          std::vector<DocumentUri>{"file:///r"});
    CHECK(from<InitializeParams>(R"({"rootPath":"/a b","rootUri":null})")->roots() ==
          std::vector<DocumentUri>{"file:///a%20b"});
    CHECK(from<InitializeParams>(R"({"workspaceFolders":null})")->roots().empty());
    CHECK(!from<InitializeParams>("{}")->capabilities.inlineCompletion);
  }

  TEST_CASE("the position encoding is the first of ours the client can") {
    CHECK(chosen(R"(["utf-16","utf-8"])") == PositionEncoding::kUtf8);
    CHECK(chosen(R"(["utf-32","utf-16"])") == PositionEncoding::kUtf16);
    CHECK(chosen(R"(["utf-32"])") == PositionEncoding::kUtf32);
    CHECK(chosen(R"(["ebcdic"])") == PositionEncoding::kUtf16);
    CHECK(chosen("null") == PositionEncoding::kUtf16);
  }

  TEST_CASE("inline completion reads whole and fails by name") {
    const auto params = from<InlineCompletionParams>(R"({
      "textDocument": {"uri": "file:///a"}, "position": {"line": 9, "character": 4},
      "workDoneToken": 5, "partialResultToken": "p",
      "context": {"triggerKind": 1, "selectedCompletionInfo":
        {"range": {"start": {"line": 9, "character": 1}, "end": {"line": 9, "character": 4}},
         "text": ".log"}}})");
    REQUIRE(params);
    CHECK(params->position == Position{9, 4});
    CHECK(params->context.triggerKind == InlineCompletionTriggerKind::kInvoked);
    CHECK(params->context.selectedCompletionInfo->range == Range{{9, 1}, {9, 4}});
    CHECK(params->context.selectedCompletionInfo->text == ".log");
    CHECK(params->workDoneToken == ProgressToken{5});
    CHECK(params->partialResultToken == ProgressToken{"p"});

    CHECK(error_of<InlineCompletionParams>(R"({"textDocument":{"uri":"u"}})") ==
          "params.position: missing");
    CHECK(error_of<InlineCompletionParams>(
              R"({"textDocument":{"uri":"u"},"position":{"line":0,"character":0},
                  "partialResultToken":{}})") ==
          "params.partialResultToken: expected a string or a whole number, got an object");
    CHECK(error_of<InlineCompletionParams>(
              R"({"textDocument":{"uri":"u"},"position":{"line":0,"character":0},
                  "context":{"triggerKind":0}})") == "params.context.triggerKind: unknown value 0");
  }

  TEST_CASE("workspace notifications read") {
    const auto folders = from<DidChangeWorkspaceFoldersParams>(
        R"({"event":{"added":[{"uri":"file:///a","name":"a"}],"removed":[]}})");
    REQUIRE(folders);
    CHECK(folders->added.at(0).uri == "file:///a");
    const auto files = from<DidChangeWatchedFilesParams>(R"({"changes":[{"uri":"u","type":3}]})");
    REQUIRE(files);
    CHECK(files->changes.at(0).type == FileChangeType::kDeleted);
    CHECK(error_of<DidChangeWatchedFilesParams>(R"({"changes":[{"uri":"u","type":9}]})") ==
          "params.changes[0].type: unknown value 9");
    CHECK(from<ExecuteCommandParams>(R"({"command":"c","arguments":[1,"x"]})")->arguments.at(1) ==
          "x");
    CHECK(from<DidChangeConfigurationParams>(R"({"settings":{"kinglet":{}}})")->settings ==
          Json{{"kinglet", Json::object()}});
  }

  TEST_CASE("results are written as the specification spells them") {
    InlineCompletionItem item{.insertText = "foo", .filterText = {}, .range = {}, .command = {}};
    CHECK(to_text(InlineCompletionList{{item}}) == R"({"items":[{"insertText":"foo"}]})");
    item.filterText = std::string("f");
    item.range = Range{{1, 2}, {1, 3}};
    item.command = Command{.title = "", .command = "kinglet.accepted", .arguments = {Json("id")}};
    CHECK(to_text(Json(item)) ==
          R"({"command":{"arguments":["id"],"command":"kinglet.accepted","title":""},)"
          R"("filterText":"f","insertText":"foo","range":{"end":{"character":3,"line":1},)"
          R"("start":{"character":2,"line":1}}})");
    CHECK(to_text(ProgressParams<WorkDoneProgressReport>{ProgressToken{"t"},
                                                         {.message = "half", .percentage = 50}}) ==
          R"({"token":"t","value":{"kind":"report","message":"half","percentage":50}})");
    CHECK(to_text(ProgressParams<InlineStreamValue>{
              ProgressToken{3}, {.itemId = "i", .version = 2, .insertText = "x", .done = true}}) ==
          R"({"token":3,"value":{"done":true,"insertText":"x","itemId":"i","version":2}})");
    CHECK(to_text(MessageParams{.type = MessageType::kWarning, .message = "m"}) ==
          R"({"message":"m","type":2})");
    CHECK(to_text(Null{}) == "null");

    InitializeResult result;
    result.serverInfo = {.name = "kinglet", .version = "0.1"};
    result.capabilities.positionEncoding = PositionEncoding::kUtf8;
    result.capabilities.inlineCompletionProvider = true;
    result.capabilities.workspaceFolders = true;
    result.capabilities.commands = {"kinglet.accepted"};
    result.capabilities.experimental = Json{{"kinglet", {{"inlineStream", true}}}};
    CHECK(to_text(result) ==
          R"({"capabilities":{"executeCommandProvider":{"commands":["kinglet.accepted"]},)"
          R"("experimental":{"kinglet":{"inlineStream":true}},"inlineCompletionProvider":{},)"
          R"("positionEncoding":"utf-8","textDocumentSync":{"change":2,"openClose":true,)"
          R"("save":{"includeText":true}},"workspace":{"workspaceFolders":)"
          R"({"changeNotifications":true,"supported":true}}},)"
          R"("serverInfo":{"name":"kinglet","version":"0.1"}})");
  }

  TEST_CASE("our errors become the protocol's") {
    const auto code = [](ErrorCode ours) { return ResponseError(Error{ours, "m"}).code; };
    CHECK(code(ErrorCode::kInvalidArgument) == -32602);
    CHECK(code(ErrorCode::kCancelled) == -32800);
    CHECK(code(ErrorCode::kUnavailable) == -32803);
    CHECK(code(ErrorCode::kInternal) == -32603);
    CHECK(to_text(ResponseError(ResponseCode::kContentModified, "m")) ==
          R"({"code":-32801,"message":"m"})");
  }
}

}  // namespace kinglet::lsp
