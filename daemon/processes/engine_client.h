// The broker's side of the engine process: one copy of the weights for all sessions, restarted when
// it dies.
//
// Requests wait here, not in the engine, which is given one at a time. So a death is the fault of
// exactly one request: that one is tried once more, on a new engine, going on after the tokens it
// already gave; a second death is its error. The others never notice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/wire/messages.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::daemon {

/// What the engine said of the model it loaded.
struct LoadedModel {
  wire::ModelInfo info;
  std::shared_ptr<const inference::Vocabulary> vocabulary;
};

enum class EngineState : std::uint8_t {
  kStopped,  // starts with the next request
  kLoading,
  kReady,
  kFailed,  // see EngineStatus::problem; tried again after a while, with the next request
};
std::string_view name_of(EngineState state);

struct EngineStatus {
  EngineState state = EngineState::kStopped;
  pid_t pid = -1;                            // -1: no process
  double load_fraction = 0;                  // while kLoading
  std::string problem;                       // while kFailed
  std::uint32_t n_waiting = 0;               // requests, the one being computed included
  std::uint32_t n_restarts = 0;              // deaths since the daemon started
  std::vector<wire::Adapter> adapters = {};  // on the model that is there
};

enum class EngineTurn : std::uint8_t {
  kNext,
  kWhenIdle,  // after all others, and ended with kCancelled by any that comes
};

/// A completion to compute.
struct EngineRequest {
  wire::Generate generate;
  /// Vocabulary::hash() of the model whose tokens it is made of: no other model is given it.
  std::uint64_t vocabulary_hash = 0;
  EngineTurn turn = EngineTurn::kNext;
};

struct EngineOptions {
  SpawnOptions spawn{.arguments = {"engine"}};
  /// How long a cancelled request may go on computing until the engine counts as hung.
  std::chrono::milliseconds cancel_grace{10'000};
  /// Least time between two failed loads; doubles with each, up to a minute.
  std::chrono::milliseconds load_retry{1'000};
};

/// For the protocol thread; so are its callbacks, which never come before the call returned.
class EngineClient {
 public:
  using OnToken = std::function<void(inference::TokenId id, std::string_view bytes)>;
  using OnGenerated = std::function<void(Result<wire::Generated>)>;
  using OnLoaded = std::function<void(Result<std::shared_ptr<const LoadedModel>>)>;

  EngineClient(boost::asio::any_io_executor executor, EngineOptions options);
  EngineClient(const EngineClient&) = delete;
  EngineClient& operator=(const EngineClient&) = delete;
  ~EngineClient();

  /// Which model to load and how, or why there is none (every request then gets that error). When
  /// it differs from before, a running engine is replaced; where only the adapters differ, it gets
  /// the others between two requests, and keeps the model. Requests are tried anew, but those for
  /// another model than this one fail with kInvalidArgument.
  void configure(Result<wire::Load> load);

  /// Calls back once the model is there (or will not be), and starts loading it.
  void when_loaded(OnLoaded on_loaded);

  /// The model, if it has been loaded; stays while a dead engine is being replaced.
  std::shared_ptr<const LoadedModel> model() const;

  /// Computes a completion. `on_done` is called exactly once, no `on_token` after it; when `stop`
  /// is requested that is at once, with kCancelled. What was computed until then is not computed
  /// again by a request that begins so. `stop` may be requested on any thread.
  /// Errors: kCancelled; kInvalidArgument when it does not suit the model that is there by now, its
  /// tokens being of another one: write it anew; kUnavailable when the engine died twice; the
  /// engine's own.
  void generate(EngineRequest request, std::stop_token stop, OnToken on_token, OnGenerated on_done);

  EngineStatus status() const;

  /// Ends the process; what waits, and what comes later, fails with kUnavailable.
  void shut_down();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kinglet::daemon
