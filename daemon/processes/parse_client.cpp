#include "daemon/processes/parse_client.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace kinglet::daemon {

namespace {

/// Of one scan; more is a worker that does not stop talking.
constexpr std::size_t kMaxScannedPaths = 2'000'000;

Result<void> add_batch(const wire::Frame& frame, FoundFiles& found) {
  auto batch = TRY(wire::decode<wire::FilesFound>(frame));
  std::ranges::move(batch.files, std::back_inserter(found.files));
  std::ranges::move(batch.skipped, std::back_inserter(found.skipped));
  std::ranges::move(batch.folders, std::back_inserter(found.folders));
  if (found.files.size() + found.skipped.size() + found.folders.size() > kMaxScannedPaths) {
    return fail(ErrorCode::kCorrupt, "It found more files than any scan may.");
  }
  return {};
}

}  // namespace

ParseClient::ParseClient(boost::asio::any_io_executor executor, ParseOptions options)
    : file_deadline_(options.file_deadline),
      scan_deadline_(options.scan_deadline),
      pool_(std::move(executor),
            {.kind = "parse",
             .spawn = std::move(options.spawn),
             .n_workers = options.n_workers,
             .idle_exit = {},
             .memory_limit = options.memory_limit}) {}

void ParseClient::scan(const wire::Scan& request,
                       std::stop_token stop,
                       OnDone<FoundFiles> on_done) {
  const auto found = std::make_shared<FoundFiles>();
  pool_.add(
      {.urgency = Urgency::kBackground,
       .deadline = scan_deadline_,
       .root = {},
       .affinity = 0,
       .send = [request](WorkerLink& worker, std::uint64_t id) { return worker.send(id, request); },
       .take = [found, on_done](
                   const wire::Frame& frame) -> Result<std::optional<WorkerRequest::Deliver>> {
         if (frame.type == wire::MessageType::kFilesFound) {
           TRY(add_batch(frame, *found));
           return std::nullopt;
         }
         found->n_skipped = TRY(wire::decode<wire::Scanned>(frame)).n_skipped;
         return [found, on_done] { on_done(std::move(*found)); };
       },
       .fail = [on_done](Error error) { on_done(tl::unexpected(std::move(error))); },
       .start_over = [found] { *found = {}; }},
      std::move(stop));
}

void ParseClient::parse(const wire::Parse& request,
                        Urgency urgency,
                        std::stop_token stop,
                        OnDone<wire::Parsed> on_done) {
  auto asked = single_answer(request, std::move(on_done));
  asked.urgency = urgency;
  asked.deadline = file_deadline_;
  asked.affinity = request.document;
  pool_.add(std::move(asked), std::move(stop));
}

void ParseClient::hash_files(const wire::HashFiles& request,
                             std::stop_token stop,
                             OnDone<wire::Hashed> on_done) {
  auto asked = single_answer(request, std::move(on_done));
  asked.deadline = file_deadline_;
  pool_.add(std::move(asked), std::move(stop));
}

void ParseClient::read_file(const wire::ReadFile& request,
                            std::stop_token stop,
                            OnDone<wire::FileText> on_done) {
  auto asked = single_answer(request, std::move(on_done));
  asked.urgency = Urgency::kInteractive;
  asked.deadline = file_deadline_;
  pool_.add(std::move(asked), std::move(stop));
}

void ParseClient::read_history(const wire::ReadHistory& request,
                               std::stop_token stop,
                               OnDone<wire::HistoryRead> on_done) {
  auto asked = single_answer(request, std::move(on_done));
  asked.deadline = file_deadline_;
  pool_.add(std::move(asked), std::move(stop));
}

}  // namespace kinglet::daemon
