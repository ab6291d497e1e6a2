#include "daemon/eval/completer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <system_error>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "daemon/features/inline_completion.h"
#include "daemon/features/prompt_budget.h"
#include "daemon/services.h"
#include "indexer/context/hole.h"
#include "indexer/parse.h"
#include "indexer/segment.h"
#include "lsp/server.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using lsp::Json;

namespace {

// Room that the engine keeps behind the longest prompt; a hole of twelve long lines fits.
constexpr std::uint32_t kMaxNewTokens = 1'024;

// Enough of a model file to know it by: all its weights would take as long to read as to load.
constexpr std::size_t kFingerprintBytes = 1 << 20;

Result<std::string> fingerprint_of(const fs::path& file, const Config& config) {
  std::error_code error;
  const std::uintmax_t n_bytes = fs::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  std::string bytes(2 * kFingerprintBytes, '\0');
  in.read(bytes.data(), kFingerprintBytes);
  in.clear();
  in.seekg(n_bytes > kFingerprintBytes ? -static_cast<std::streamoff>(kFingerprintBytes) : 0,
           n_bytes > kFingerprintBytes ? std::ios::end : std::ios::beg);
  in.read(bytes.data() + kFingerprintBytes, kFingerprintBytes);
  if (error || !in.is_open()) {
    return fail(ErrorCode::kIo, "cannot read " + file.string() + ": " + error.message());
  }
  // Another build may pack, compute or cut in another way, and have the same version.
  const fs::path program = TRY(program_path());
  const auto built = fs::last_write_time(program, error).time_since_epoch().count();
  bytes += std::to_string(n_bytes) + ' ' + std::to_string(built) + ' ' + config.backend + ' ' +
           config.device + ' ' + config.kv_format + ' ' + config.activations;
  for (const AdapterSetting& adapter : config.adapters)
    bytes += ' ' + adapter.file + '=' + std::to_string(adapter.scale);
  return indexer::to_hex(indexer::hash_content(bytes));
}

}  // namespace

Result<PackJob> job_for_hole(const fs::path& root,
                             const indexer::Snapshot& index,
                             const ChosenHole& hole) {
  const std::string& path = hole.hole.path;
  std::string text = indexer::hide(*hole.text, hole.hole.range).text;
  const auto record = TRY(indexer::parse_file(*hole.language, text));
  const std::array<indexer::Overlaid, 1> overlaid = {
      {{.path = path, .segment = indexer::Segment::of_file(path, record)}}};
  const std::string name = root.filename().string();
  PackJob job;
  job.root = root;
  job.repository = name.empty() ? "root" : name;
  job.path = path;
  job.index = index.with(overlaid);
  job.text = std::make_shared<const lsp::TextBuffer>(std::move(text));
  job.open_texts[path] = job.text;
  job.cursor = ByteOffset{hole.hole.range.begin};
  return job;
}

struct Completer::Loop {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
};

// A model with an engine of its own, so that variants take turns without loading.
struct Completer::Seat {
  Seat(Loop& loop, ServicesOptions options, Config the_usual)
      : usual(std::move(the_usual)), services(loop.io.get_executor(), std::move(options)) {
    completions = std::make_unique<InlineCompletions>(CompletionServices{
        .protocol = services.protocol,
        .pool = services.pool.get_executor(),
        .engine = services.engine,
        .client = lsp::Client({}),  // completions are answered, not streamed
        .encoding = lsp::PositionEncoding::kUtf8,
        .can_stream = false,
        .config_for = [this](const lsp::Place&) { return asked; },
        .job_for = [this](const lsp::Place&) { return job; },
        .writer_for = [this](const LoadedModel& loaded) { return services.writer_for(loaded); },
    });
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  void shut_down() {
    completions.reset();
    repository.reset();
    services.engine.shut_down();
    services.parser.shut_down();
    services.clang.shut_down();
    services.index_thread.shut_down();
  }

  Config usual;  // what an editor would complete with
  Services services;
  std::unique_ptr<InlineCompletions> completions;
  std::shared_ptr<Repository> repository;  // of the first seat
  std::shared_ptr<const LoadedModel> model;
  // Of the request under way:
  Config asked;
  PackJob job;
};

std::string_view name_of(Chunks chunks) {
  switch (chunks) {
    case Chunks::kPacked:
      return "packed";
    case Chunks::kBm25:
      return "bm25";
    case Chunks::kNone:
      break;
  }
  return "none";
}

Completer::Completer() : loop_(std::make_unique<Loop>()) {}

Completer::~Completer() {
  for (const auto& seat : seats_)
    seat->shut_down();
  try {
    loop_->io.poll();  // what came in meanwhile refers to them
  } catch (...) {      // NOLINT(bugprone-empty-catch): of what nobody waits for any more
  }
  seats_.clear();
}

void Completer::wait_until(const std::function<bool()>& condition) {
  while (!condition())
    loop_->io.run_one();
}

Result<std::unique_ptr<Completer>> Completer::open(const Paths& paths,
                                                   const std::vector<Config>& configs,
                                                   std::uint32_t n_longest_prompt) {
  std::unique_ptr<Completer> completer(new Completer());
  for (const Config& config : configs) {
    const fs::path file = TRY(find_model(config));
    Config loaded = config;
    loaded.context_tokens = std::max(config.context_tokens, n_longest_prompt);
    loaded.max_new_tokens = std::max(config.max_new_tokens, kMaxNewTokens);
    // Only the first seat indexes.
    Paths kept = paths;
    if (!completer->seats_.empty()) kept.cache.clear();
    auto seat = std::make_unique<Seat>(
        *completer->loop_,
        make_services_options(kept, {.config = std::move(loaded), .problems = {}}),
        config);
    std::optional<Result<std::shared_ptr<const LoadedModel>>> model;
    seat->services.engine.when_loaded(
        [&model](Result<std::shared_ptr<const LoadedModel>> answer) { model = std::move(answer); });
    completer->wait_until([&] { return model.has_value(); });
    seat->model = TRY(*std::move(model));
    const wire::ModelInfo& info = seat->model->info;
    completer->models_.push_back(
        {.name = file.stem().string(),
         .fingerprint = TRY(fingerprint_of(file, config)),
         .n_usual_budget = static_cast<std::uint32_t>(prompt_budget(config, info))});
    completer->seats_.push_back(std::move(seat));
  }
  return completer;
}

Result<void> Completer::check_budget(std::size_t model, std::uint32_t n_budget) const {
  const Seat& seat = *seats_[model];
  TRY(asked_prompt_budget(n_budget, seat.usual, seat.model->info));
  return {};
}

Result<void> Completer::index(const fs::path& root,
                              const std::function<void(std::uint32_t)>& on_progress) {
  root_ = root;
  Seat& seat = *seats_.front();
  seat.repository = seat.services.repositories.open(root, seat.usual);
  const auto listening = seat.repository->listen([&](const Repository& repository) {
    const RepositoryStatus& status = repository.status();
    if (status.n_found > 0)
      on_progress(static_cast<std::uint32_t>(100 * status.n_done / status.n_found));
  });
  seat.repository->refresh();
  wait_until(
      [&] { return seat.repository->is_settled() && !seat.repository->is_reading_history(); });
  const std::string& problem = seat.repository->status().problem;
  if (!problem.empty()) return fail(ErrorCode::kUnavailable, problem);
  snapshot_ = seat.repository->snapshot();
  history_ = seat.repository->history();
  return {};
}

Result<Completion> Completer::complete(const ChosenHole& hole, const Variant& variant) {
  Seat& seat = *seats_[variant.model];
  const auto writer = seat.services.writer_for(*seat.model);
  seat.job = TRY(job_for_hole(root_, snapshot_, hole));
  if (variant.chunks == Chunks::kNone) {
    seat.job.index = indexer::Snapshot();
  } else {
    seat.job.history = history_;
  }
  if (variant.chunks == Chunks::kBm25) seat.job.method = indexer::PackMethod::kBm25;
  seat.asked = seat.usual;
  seat.asked.context_tokens = variant.n_budget;
  seat.asked.temperature = 0;
  const double n_gold = static_cast<double>(writer->count_tokens(hole.gold()));
  // What would not fit behind the prompt must not make it shorter.
  seat.asked.max_new_tokens = std::min(static_cast<std::uint32_t>(std::ceil(1.5 * n_gold)) + 16,
                                       seat.model->info.context_tokens - variant.n_budget);

  const std::string uri = lsp::uri_from_path((root_ / hole.hole.path).string());
  lsp::Place place;
  place.document.uri = uri;
  place.document.text = seat.job.text;
  place.offset = seat.job.cursor;
  lsp::InlineCompletionParams params;
  params.textDocument.uri = uri;
  std::optional<lsp::Response<Json>> answer;
  const Clock::time_point start = Clock::now();
  seat.completions->complete(
      params,
      place,
      {},
      lsp::Reply<lsp::InlineCompletionResult>(lsp::RawReply(
          "kinglet eval", [&](lsp::Response<Json> response) { answer = std::move(response); })));
  wait_until([&] { return answer.has_value(); });
  const std::chrono::duration<double> took = Clock::now() - start;
  // The next variant of this hole lays out its own prompt.
  seat.completions->forget(uri);
  if (!*answer) return fail(ErrorCode::kUnavailable, answer->error().message);

  Completion completion;
  completion.seconds = took.count();
  const Json items = (*answer)->value("items", Json::array());
  if (!items.empty()) completion.text = items[0].value("insertText", "");
  if (const auto& stats = seat.completions->last()) {
    completion.n_prompt = stats->n_prompt;
    completion.n_generated = stats->n_generated;
    completion.pack_seconds = stats->pack_seconds;
    if (stats->n_generated > 0) completion.first_token_seconds = stats->first_token_seconds;
  }
  return completion;
}

}  // namespace kinglet::daemon
