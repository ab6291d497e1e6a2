// The broker's side of the parse workers, which alone read a repository's bytes.
//
// A worker has one request at a time, so its death is that request's fault: it is tried once more
// on a new worker, then fails. Content that killed two workers is never parsed again while this
// daemon lives: each worker is told at its start what to refuse.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

struct ParseOptions {
  SpawnOptions spawn{.arguments = {"parse-worker"}};
  std::size_t n_workers = 1;
  /// A request that takes longer counts as a hung worker.
  std::chrono::milliseconds file_deadline{10'000};
  std::chrono::milliseconds scan_deadline{300'000};
};

/// All that a scan found.
struct FoundFiles {
  std::vector<wire::FoundFile> files;
  std::vector<wire::SkippedPath> skipped;
  std::vector<std::string> folders;
  std::uint64_t n_skipped = 0;  // those too many to list included
};

struct ParseStatus {
  std::vector<pid_t> pids;
  std::size_t n_waiting = 0;
  std::size_t n_restarts = 0;     // deaths since the daemon started
  std::size_t n_quarantined = 0;  // contents that killed two workers
};

/// What somebody waits for goes before what nobody sees.
enum class Urgency : std::uint8_t { kInteractive, kBackground };

/// For the protocol thread; so are its callbacks: exactly one each, never before the call returned,
/// and with kCancelled at once when `stop` is requested (on any thread).
/// Errors besides the worker's own: kCancelled; kUnavailable when the request killed two workers,
/// or workers do not start at all.
class ParseClient {
 public:
  template <class T>
  using OnDone = std::function<void(Result<T>)>;

  ParseClient(boost::asio::any_io_executor executor, ParseOptions options);
  ParseClient(const ParseClient&) = delete;
  ParseClient& operator=(const ParseClient&) = delete;
  ~ParseClient();

  void scan(const wire::Scan& request, std::stop_token stop, OnDone<FoundFiles> on_done);
  void parse(const wire::Parse& request,
             Urgency urgency,
             std::stop_token stop,
             OnDone<wire::Parsed> on_done);
  void hash_files(const wire::HashFiles& request,
                  std::stop_token stop,
                  OnDone<wire::Hashed> on_done);
  void read_file(const wire::ReadFile& request,
                 std::stop_token stop,
                 OnDone<wire::FileText> on_done);

  ParseStatus status() const;

  /// Ends the workers; what waits, and what comes later, fails with kUnavailable.
  void shut_down();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kinglet::daemon
