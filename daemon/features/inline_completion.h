// Ghost text: textDocument/inlineCompletion, streamed to clients that negotiated it.
//
// A session has at most one completion under way. A newer request answers the older one with null
// at once (Neovim does not cancel outdated requests and shows the last reply) and ends its
// computation.
//
// Each document keeps the layouts of its last prompts, since most requests need no other. While
// somebody types, what was typed piles up behind the cut; when the typing pauses, a layout is made
// at the cursor's line and computed while the engine has nothing else to do, and takes the place of
// the former one once it is there. So it is when other documents were edited since. A
// request that comes before that goes on with the former one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/base/result.h"
#include "daemon/config.h"
#include "daemon/features/packed_prompt.h"
#include "daemon/processes/engine_client.h"
#include "lsp/binder.h"
#include "lsp/documents.h"
#include "lsp/protocol.h"
#include "lsp/server.h"

namespace kinglet::daemon {

/// What one completion cost.
struct CompletionStats {
  std::uint32_t n_prompt = 0;     // tokens
  std::uint32_t n_reused = 0;     // of the prompt, computed before
  std::uint32_t n_generated = 0;  // tokens
  double pack_seconds = 0;
  double first_token_seconds = 0;  // from the request's arrival in the daemon
  double decode_tokens_per_second = 0;
};

/// What the completions of one session stand on; all outlive them. Work that takes time runs on
/// `pool` and comes back to `protocol`.
struct CompletionServices {
  boost::asio::any_io_executor protocol;
  boost::asio::any_io_executor pool;
  EngineClient& engine;
  lsp::Client client;
  lsp::PositionEncoding encoding = lsp::PositionEncoding::kUtf16;
  bool can_stream = false;  // the client asked for inlineStream
  /// The configuration at a place: a repository may narrow what the user allowed.
  std::function<Config(const lsp::Place& place)> config_for;
  /// What to pack around a place; `writer`, `kept` and the budget are filled in here.
  std::function<PackJob(const lsp::Place& place)> job_for;
  /// The prompt writer for a model: shared by all sessions.
  std::function<std::shared_ptr<const PromptWriter>(const LoadedModel& model)> writer_for;
  /// So long without a request is a pause.
  std::chrono::milliseconds pause{1'500};
};

/// For the protocol thread.
class InlineCompletions {
 public:
  explicit InlineCompletions(CompletionServices services);
  InlineCompletions(const InlineCompletions&) = delete;
  InlineCompletions& operator=(const InlineCompletions&) = delete;
  /// Cancels what is under way.
  ~InlineCompletions();

  /// Answers with a list (empty: nothing to say, or disabled here), null when outdated, or an
  /// error: RequestFailed when there is no model, InvalidParams as Documents::locate().
  void complete(const lsp::InlineCompletionParams& params,
                lsp::Response<lsp::Place> place,
                std::stop_token stop,
                lsp::Reply<lsp::InlineCompletionResult> reply);

  struct PackWish {
    lsp::Place place;
    Config config;
    std::optional<std::uint32_t> budget;  // tokens, instead of what is configured
  };
  /// `job`: what was packed; null when it did not come so far.
  using OnPacked = std::function<void(Result<PackedPrompt>, std::shared_ptr<const PackJob> job)>;
  /// The prompt that complete() would use at a place, without asking the model. Errors: those of
  /// loading the model, of asked_prompt_budget() and of pack_prompt().
  void pack(PackWish wish, std::stop_token stop, OnPacked on_done);

  /// Forgets the layouts of a closed document.
  void forget(const lsp::DocumentUri& uri);

  const std::optional<CompletionStats>& last() const { return last_; }

 private:
  struct Run;
  struct Layout {
    std::shared_ptr<const indexer::Pack> pack;
    std::shared_ptr<const PromptWriter> writer;  // of the model that it was made for
    std::uint64_t edits_elsewhere = 0;           // what other documents were like then
  };
  enum class Layouts : bool { kNew, kKept };

  void pack(PackWish wish, Layouts layouts, std::stop_token stop, OnPacked on_done);
  bool keep(const lsp::DocumentUri& uri, Layout layout);
  void await_pause(const std::shared_ptr<Run>& run);
  void renew_layout(const std::shared_ptr<Run>& run);
  void answer(Run& run, lsp::Response<lsp::InlineCompletionResult> response);
  void cancel(Run& run);
  void pack_and_generate(const std::shared_ptr<Run>& run);
  void generate(const std::shared_ptr<Run>& run, PackedPrompt packed, const PromptWriter& writer);
  void add_token(Run& run, std::string_view bytes);
  enum class StreamEnd : bool { kNo, kYes };
  void send_stream(const Run& run, StreamEnd end);
  void finish(Run& run, Result<wire::Generated> generated);

  CompletionServices services_;
  std::map<lsp::DocumentUri, std::vector<Layout>> layouts_;  // last used first
  std::shared_ptr<Run> current_;
  boost::asio::steady_timer pause_;
  std::stop_source renewal_;  // ends the making of a new layout
  std::uint64_t n_items_ = 0;
  std::optional<CompletionStats> last_;
  std::shared_ptr<InlineCompletions*> alive_;  // null once this is gone, for callbacks
};

}  // namespace kinglet::daemon
