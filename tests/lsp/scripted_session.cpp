#include "tests/lsp/scripted_session.h"

#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include "lsp/transport.h"

namespace kinglet::lsp::test {
namespace {

struct MethodParams {
  std::string method;
};
Result<void> read(const Field& field, MethodParams& out) {
  return field.require("method", out.method);
}

struct DocumentState {
  std::string text;
  std::int32_t version = 0;
  bool isSynced = false;
};
void to_json(Json& json, const DocumentState& state) {
  json = Json{{"text", state.text}, {"version", state.version}, {"isSynced", state.isSynced}};
}

}  // namespace

struct ScriptedSession::State {
  std::vector<std::string> output;
  FrameReader sent;
  Documents documents;
  std::vector<Reply<Json>> waiting;
  Server server;

  State()
      : server({.send =
                    [this](const std::string& frame) {
                      for (auto& body : sent.feed(frame))
                        output.push_back(*body);
                    },
                .log =
                    [this](std::string_view line) {
                      output.push_back("log: " + std::string(line));
                    }}) {
    Binder& bind = server.bind();
    bind.request("initialize", &State::initialize, this);
    bind.request("test/ask", &State::ask, this);
    bind.request("test/drop", [](const Null&, const std::stop_token&, const Reply<Null>&) {});
    bind.request("test/later", &State::later, this);
    bind.request("test/stubborn", [this](const Null&, const std::stop_token&, Reply<Json> reply) {
      waiting.push_back(std::move(reply));
    });
    bind.request("test/text", &State::text, this);
    bind.request("test/throw", [](const Null&) -> Response<Null> {
      throw std::runtime_error("thrown on purpose");
    });
    bind.request("textDocument/inlineCompletion", &State::inline_completion, this);
    bind.notification("test/release", [this](const Null&) {
      for (const auto& reply : std::exchange(waiting, {})) {
        if (!reply.is_answered()) reply(Json("released"));
      }
    });
    bind.notification("test/throwing",
                      [](const Null&) { throw std::runtime_error("a notification"); });
    bind.notification("textDocument/didChange", &Documents::change, &documents);
    bind.notification("textDocument/didClose", &Documents::close, &documents);
    bind.notification("textDocument/didOpen", &Documents::open, &documents);
    bind.notification("textDocument/didSave", &Documents::save, &documents);
  }

  Response<InitializeResult> initialize(const InitializeParams& params) {
    documents.set_encoding(choose_position_encoding(params.capabilities));
    InitializeResult result;
    result.serverInfo = {.name = "scripted", .version = "1"};
    result.capabilities.positionEncoding = documents.encoding();
    result.capabilities.inlineCompletionProvider = true;
    return result;
  }

  void ask(const MethodParams& params, const std::stop_token& /*stop*/, const Reply<Json>& reply) {
    server.client().request<Json>(
        params.method, Null{}, [reply](Response<Json> response) { reply(std::move(response)); });
  }

  void later(const Null& /*params*/, const std::stop_token& stop, Reply<Json> reply) {
    // The callback lives as long as the reply's copy in it: until it ran, or for the whole test.
    struct Waiter {
      explicit Waiter(Reply<Json> the_reply) : reply(std::move(the_reply)) {}
      Reply<Json> reply;
      std::optional<std::stop_callback<std::function<void()>>> on_stop;
    };
    const auto waiter = std::make_shared<Waiter>(reply);
    waiter->on_stop.emplace(stop, [raw = waiter.get()] {
      if (!raw->reply.is_answered()) raw->reply.cancelled();
    });
    waiters.push_back(waiter);
    waiting.push_back(std::move(reply));
  }

  Response<DocumentState> text(const TextDocumentIdentifier& id) {
    const Document* document = documents.find(id.uri);
    if (document == nullptr)
      return fail(ResponseCode::kInvalidParams, "document not open: " + id.uri);
    return DocumentState{
        std::string(document->text->text()), document->version, document->is_synced};
  }

  Response<InlineCompletionList> inline_completion(const InlineCompletionParams& params) {
    const auto place = documents.locate(params.textDocument, params.position);
    if (!place) return tl::unexpected(place.error());
    const TextBuffer& text = *place->document.text;
    const ByteRange line = text.line(text.line_of(place->offset));
    const ByteRange before{line.begin, value(place->offset)};
    const std::string proposal(before.of(text.text()));
    if (params.partialResultToken) {
      server.client().progress(*params.partialResultToken,
                               InlineStreamValue{.itemId = "1",
                                                 .version = place->document.version,
                                                 .insertText = proposal,
                                                 .done = false});
    }
    const Position at = text.position(place->offset, documents.encoding());
    InlineCompletionItem item{.insertText = proposal, .filterText = {}, .range = {}, .command = {}};
    item.range = Range{at, at};
    return InlineCompletionList{{std::move(item)}};
  }

  std::vector<std::shared_ptr<void>> waiters;
};

ScriptedSession::ScriptedSession() : state_(std::make_unique<State>()) {}
ScriptedSession::~ScriptedSession() = default;

Server& ScriptedSession::server() {
  return state_->server;
}

std::vector<std::string> ScriptedSession::take_output() {
  return std::exchange(state_->output, {});
}

}  // namespace kinglet::lsp::test
