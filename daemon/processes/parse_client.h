// The broker's side of the parse workers, which alone read a repository's bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/processes/worker_pool.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

struct ParseOptions {
  SpawnOptions spawn{.arguments = {"parse-worker"}};
  std::size_t n_workers = 1;
  std::uint64_t memory_limit = UINT64_MAX;  // of each, in bytes
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

/// One callback each, on the protocol thread, with the errors of WorkerPool besides the worker's
/// own.
class ParseClient {
 public:
  template <class T>
  using OnDone = std::function<void(Result<T>)>;

  ParseClient(boost::asio::any_io_executor executor, ParseOptions options);

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
  void read_history(const wire::ReadHistory& request,
                    std::stop_token stop,
                    OnDone<wire::HistoryRead> on_done);

  WorkerPoolStatus status() const { return pool_.status(); }
  void shut_down() { pool_.shut_down(); }

 private:
  std::chrono::milliseconds file_deadline_;
  std::chrono::milliseconds scan_deadline_;
  WorkerPool pool_;
};

}  // namespace kinglet::daemon
