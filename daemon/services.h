// What all sessions of one daemon share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include "daemon/config.h"
#include "daemon/features/prompt.h"
#include "daemon/index_writer.h"
#include "daemon/linked_indexes.h"
#include "daemon/paths.h"
#include "daemon/processes/clang_client.h"
#include "daemon/processes/engine_client.h"
#include "daemon/processes/parse_client.h"
#include "daemon/repositories.h"
#include "daemon/semantics_hub.h"

namespace kinglet::daemon {

struct ServicesOptions {
  Paths paths;
  Config config;                                  // config.json, then the daemon's flags
  std::vector<std::string> config_problems = {};  // of config.json
  EngineOptions engine;
  ParseOptions parse;
  ClangOptions clang = {};
};

/// What a daemon of these settings needs: workers from this very program, their stderr in a log.
ServicesOptions make_services_options(const Paths& paths, LoadedConfig loaded);

/// For the protocol thread, on which nothing blocks: what takes more than a millisecond is posted
/// to `pool` and its result posted back to `protocol`.
struct Services {
  Services(boost::asio::any_io_executor executor, ServicesOptions options);

  /// There is one engine for all: it loads what the session that chose last wants, and the daemon's
  /// own configuration when no session that chose is left. Its context is as long as the daemon's
  /// own in any case: no session shortens another's. `session` is a name only.
  void choose_engine(const void* session, const Config& wanted);
  /// For a session that no longer chooses, or ends; nothing happens if it had not chosen.
  void give_back_engine(const void* session);
  /// The prompt writer for a model; its cache of token segments is shared by all sessions. The same
  /// writer as before for a model that writes the same prompts, such as a restarted engine's.
  std::shared_ptr<const PromptWriter> writer_for(const LoadedModel& model);

  boost::asio::any_io_executor protocol;
  boost::asio::thread_pool pool;
  Paths paths;
  Config config;
  std::vector<std::string> config_problems;  // each session shows them to its client
  EngineClient engine;
  ParseClient parser;
  IndexThread index_thread;
  Repositories repositories;
  LinkedIndexes links;
  ClangClient clang;
  SemanticsHub semantics;
  /// The daemon's state as `kinglet status --json` and kinglet/status give it.
  std::function<nlohmann::json()> status;

 private:
  void configure_engine();

  std::vector<std::pair<const void*, Config>> choices_;  // of sessions; the latest last
  std::shared_ptr<const PromptWriter> writer_;
};

}  // namespace kinglet::daemon
