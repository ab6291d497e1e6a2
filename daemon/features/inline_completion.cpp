#include "daemon/features/inline_completion.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>

#include "daemon/features/completion_text.h"
#include "daemon/features/prompt_budget.h"

namespace kinglet::daemon {
namespace {

using Clock = std::chrono::steady_clock;

// A request whose model was changed under it is packed anew, but not for ever.
constexpr int kMaxPacks = 3;
// A jump leads back to one of the last places.
constexpr std::size_t kMaxLayouts = 4;
// Of what was typed since the cut: less is not worth a new layout.
constexpr std::ptrdiff_t kMinLinesToRenew = 8;

bool suits_no_more(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// An exception that left the pool's thread would end the daemon for all.
Result<PackedPrompt> guarded_pack(const PackJob& job, const std::stop_token& stop) {
  try {
    return pack_prompt(job, stop);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal,
                "packing the prompt for " + job.path + " failed: " + error.what());
  }
}

CompletionSite site_at(const lsp::TextBuffer& text, ByteOffset cursor, std::string_view closing) {
  const ByteRange line = text.line(text.line_of(cursor));
  const std::string_view all = text.text();
  const std::uint32_t at = value(cursor);
  // Behind the line's content comes its end: LF, CRLF or CR.
  std::size_t next = line.end;
  if (next < all.size() && all[next] == '\r') ++next;
  if (next < all.size() && all[next] == '\n') ++next;
  return {.typed = all.substr(line.begin, at - line.begin),
          .rest_of_line = all.substr(at, line.end - at),
          .suffix = all.substr(next),
          .closing = closing};
}

}  // namespace

// One request, from its arrival to its one answer.
struct InlineCompletions::Run {
  Run(lsp::Place the_place, Config the_config, lsp::Reply<lsp::InlineCompletionResult> the_reply)
      : place(std::move(the_place)), config(std::move(the_config)), reply(std::move(the_reply)) {}

  lsp::Place place;
  Config config;
  lsp::Reply<lsp::InlineCompletionResult> reply;
  std::optional<lsp::ProgressToken> stream;
  std::string item_id;
  std::stop_source stop;
  // Hands the client's cancellation on.
  std::optional<std::stop_callback<std::function<void()>>> on_client_stop;
  CompletionStats stats;
  Clock::time_point arrival = Clock::now();
  Clock::time_point first_token;
  Clock::time_point last_token;
  int n_packs = 0;
  std::string closing;  // Prompt::closing
  std::string raw;      // all the model said
  std::string shown;    // what of it is ghost text
  bool complete = false;
  bool answered = false;
  bool closed = false;  // the document, meanwhile
};

InlineCompletions::InlineCompletions(CompletionServices services)
    : services_(std::move(services)),
      pause_(services_.protocol),
      alive_(std::make_shared<InlineCompletions*>(this)) {}

InlineCompletions::~InlineCompletions() {
  *alive_ = nullptr;
  renewal_.request_stop();
  if (current_) current_->stop.request_stop();
}

void InlineCompletions::answer(Run& run, lsp::Response<lsp::InlineCompletionResult> response) {
  if (std::exchange(run.answered, true)) return;
  run.stop.request_stop();
  run.reply(std::move(response));
}

void InlineCompletions::cancel(Run& run) {
  if (std::exchange(run.answered, true)) return;
  run.stop.request_stop();
  run.reply.cancelled();
}

void InlineCompletions::complete(const lsp::InlineCompletionParams& params,
                                 lsp::Response<lsp::Place> place,
                                 std::stop_token stop,
                                 lsp::Reply<lsp::InlineCompletionResult> reply) {
  if (current_) answer(*current_, lsp::InlineCompletionResult{});
  current_ = nullptr;
  pause_.cancel();
  renewal_.request_stop();
  if (!place) return reply(tl::unexpected(std::move(place).error()));
  Config config = services_.config_for(*place);
  if (!config.enabled || !config.completions)
    return reply(lsp::InlineCompletionResult{lsp::InlineCompletionList{}});

  auto run = std::make_shared<Run>(*std::move(place), std::move(config), std::move(reply));
  run->item_id = std::to_string(++n_items_);
  if (services_.can_stream) run->stream = params.partialResultToken;
  current_ = run;
  // On the protocol thread, too, but perhaps from within a call of ours.
  run->on_client_stop.emplace(
      std::move(stop),
      [this, alive = alive_, weak = std::weak_ptr(run), protocol = services_.protocol] {
        boost::asio::post(protocol, [this, alive, weak] {
          if (const auto cancelled = weak.lock(); *alive != nullptr && cancelled) {
            cancel(*cancelled);
          }
        });
      });
  pack_and_generate(run);
}

void InlineCompletions::pack_and_generate(const std::shared_ptr<Run>& run) {
  ++run->n_packs;
  pack({.place = run->place, .config = run->config, .budget = {}},
       run->stop.get_token(),
       [this, alive = alive_, run](Result<PackedPrompt> packed,
                                   const std::shared_ptr<const PackJob>& job) {
         if (*alive == nullptr || run->answered) return;
         if (!packed) return finish(*run, tl::unexpected(std::move(packed).error()));
         if (!run->closed) {
           const bool is_old =
               keep(run->place.document.uri, {packed->layout, job->writer, job->edits_elsewhere});
           const auto n_lines = std::ranges::count(packed->pack->typed, '\n');
           if (is_old || n_lines >= kMinLinesToRenew) await_pause(run);
         }
         generate(run, *std::move(packed), *job->writer);
       });
}

void InlineCompletions::generate(const std::shared_ptr<Run>& run,
                                 PackedPrompt packed,
                                 const PromptWriter& writer) {
  run->stats.pack_seconds = seconds_since(run->arrival);
  run->stats.n_prompt = static_cast<std::uint32_t>(packed.prompt.tokens.size());
  run->closing = std::move(packed.prompt.closing);
  wire::Generate request{
      .tokens = std::move(packed.prompt.tokens),
      .max_tokens = run->config.max_new_tokens,
      .sampling = {.temperature = run->config.temperature, .top_p = run->config.top_p},
      .stop_tokens = writer.stop_tokens(),
      // What was typed may end inside a token.
      .healing = packed.pack->typed.empty() ? wire::Healing::kNo : wire::Healing::kYes,
  };
  services_.engine.generate(
      {.generate = std::move(request), .vocabulary_hash = writer.tokenizer().vocabulary().hash()},
      run->stop.get_token(),
      [this, alive = alive_, run](inference::TokenId, std::string_view bytes) {
        if (*alive != nullptr && !run->answered) add_token(*run, bytes);
      },
      [this, alive = alive_, run](Result<wire::Generated> generated) {
        if (*alive == nullptr || run->answered) return;
        if (!generated && suits_no_more(generated.error()) && run->raw.empty() &&
            run->n_packs < kMaxPacks) {
          return pack_and_generate(run);
        }
        finish(*run, std::move(generated));
      });
}

// Whether it was there already, and other documents were edited since it was made.
bool InlineCompletions::keep(const lsp::DocumentUri& uri, Layout layout) {
  std::vector<Layout>& kept = layouts_[uri];
  bool is_old = false;
  std::erase_if(kept, [&](const Layout& other) {
    if (other.pack == layout.pack) {
      is_old = other.edits_elsewhere != layout.edits_elsewhere;
      layout.edits_elsewhere = other.edits_elsewhere;
    }
    // One of the same place would never be chosen again.
    return other.pack == layout.pack ||
           (other.writer == layout.writer && other.pack->surroundings == layout.pack->surroundings);
  });
  kept.insert(kept.begin(), std::move(layout));
  if (kept.size() > kMaxLayouts) kept.pop_back();
  return is_old;
}

void InlineCompletions::await_pause(const std::shared_ptr<Run>& run) {
  pause_.expires_after(services_.pause);
  pause_.async_wait([this, alive = alive_, run](const boost::system::error_code& error) {
    if (!error && *alive != nullptr && run == current_ && !run->closed) renew_layout(run);
  });
}

// The kept layout goes on being used until the engine has computed the new one: to switch before
// would make the next key wait for all of it.
void InlineCompletions::renew_layout(const std::shared_ptr<Run>& run) {
  renewal_ = std::stop_source();
  const std::stop_token stop = renewal_.get_token();
  pack({.place = run->place, .config = run->config, .budget = {}},
       Layouts::kNew,
       stop,
       [this, alive = alive_, run, stop](Result<PackedPrompt> packed,
                                         const std::shared_ptr<const PackJob>& job) {
         if (*alive == nullptr || stop.stop_requested() || !packed) return;
         services_.engine.generate(
             {.generate = {.tokens = std::move(packed->prompt.tokens)},
              .vocabulary_hash = job->writer->tokenizer().vocabulary().hash(),
              .turn = EngineTurn::kWhenIdle},
             stop,
             [](inference::TokenId, std::string_view) {},
             [this, alive, run, layout = Layout{packed->layout, job->writer, job->edits_elsewhere}](
                 const Result<wire::Generated>& computed) {
               if (*alive == nullptr || !computed || run->closed) return;
               keep(run->place.document.uri, layout);
             });
       });
}

void InlineCompletions::pack(PackWish wish, std::stop_token stop, OnPacked on_done) {
  pack(std::move(wish), Layouts::kKept, std::move(stop), std::move(on_done));
}

void InlineCompletions::pack(PackWish wish,
                             Layouts layouts,
                             std::stop_token stop,
                             OnPacked on_done) {
  services_.engine.when_loaded(
      [this, alive = alive_, wish = std::move(wish), layouts, stop, on_done = std::move(on_done)](
          Result<std::shared_ptr<const LoadedModel>> model) {
        if (*alive == nullptr) return;
        if (!model) return on_done(tl::unexpected(std::move(model).error()), nullptr);
        if (stop.stop_requested())
          return on_done(fail(ErrorCode::kCancelled, "cancelled"), nullptr);
        const wire::ModelInfo& info = (*model)->info;
        const auto budget = wish.budget ? asked_prompt_budget(*wish.budget, wish.config, info)
                                        : prompt_budget(wish.config, info);
        if (!budget) return on_done(tl::unexpected(budget.error()), nullptr);
        PackJob job = services_.job_for(wish.place);
        job.text = wish.place.document.text;
        job.cursor = wish.place.offset;
        job.budget_tokens = *budget;
        job.max_file_bytes = wish.config.max_file_bytes;
        job.writer = services_.writer_for(**model);
        const auto kept = layouts_.find(wish.place.document.uri);
        if (layouts == Layouts::kKept && kept != layouts_.end()) {
          for (const Layout& layout : kept->second) {
            if (layout.writer == job.writer) job.kept.push_back(layout.pack);
          }
        }
        boost::asio::post(services_.pool,
                          [protocol = services_.protocol,
                           job = std::make_shared<const PackJob>(std::move(job)),
                           stop,
                           on_done] {
                            auto packed = guarded_pack(*job, stop);
                            boost::asio::post(protocol,
                                              [on_done, packed = std::move(packed), job]() mutable {
                                                on_done(std::move(packed), job);
                                              });
                          });
      });
}

void InlineCompletions::add_token(Run& run, std::string_view bytes) {
  if (run.complete) return;
  run.last_token = Clock::now();
  if (run.stats.n_generated++ == 0) run.first_token = run.last_token;
  run.raw += bytes;
  const CompletionSite site = site_at(*run.place.document.text, run.place.offset, run.closing);
  ShownText now = shown_text(site, run.raw, ModelState::kRunning);
  const bool grown = now.text != run.shown;
  run.shown = std::move(now.text);
  if (grown) send_stream(run, StreamEnd::kNo);
  run.complete = now.complete;
  // What follows would not be shown. The engine answers with kCancelled, and finish() knows.
  if (run.complete) run.stop.request_stop();
}

void InlineCompletions::send_stream(const Run& run, StreamEnd end) {
  if (!run.stream) return;
  services_.client.progress(*run.stream,
                            lsp::InlineStreamValue{.itemId = run.item_id,
                                                   .version = run.place.document.version,
                                                   .insertText = run.shown,
                                                   .done = end == StreamEnd::kYes});
}

void InlineCompletions::finish(Run& run, Result<wire::Generated> generated) {
  if (!generated && !run.complete) {
    const ErrorCode code = generated.error().code;
    if (code == ErrorCode::kCancelled) return cancel(run);
    // Another model goes on with other words: what the former one said stands.
    const bool is_cut_short = suits_no_more(generated.error()) && !run.shown.empty();
    if (!is_cut_short) {
      return answer(run, lsp::fail(lsp::ResponseCode::kRequestFailed, generated.error().message));
    }
  }
  if (!run.complete) {
    const CompletionSite site = site_at(*run.place.document.text, run.place.offset, run.closing);
    run.shown = shown_text(site, run.raw, ModelState::kFinished).text;
  }
  if (generated) run.stats.n_reused = generated->n_reused;
  if (run.stats.n_generated > 0) {
    run.stats.first_token_seconds =
        std::chrono::duration<double>(run.first_token - run.arrival).count();
    const double decoding = std::chrono::duration<double>(run.last_token - run.first_token).count();
    if (decoding > 0) run.stats.decode_tokens_per_second = (run.stats.n_generated - 1) / decoding;
  }
  last_ = run.stats;
  send_stream(run, StreamEnd::kYes);
  lsp::InlineCompletionList list;
  if (!run.shown.empty()) {
    // An empty range at the cursor: what Neovim draws inline and VS Code accepts.
    const lsp::Position position =
        run.place.document.text->position(run.place.offset, services_.encoding);
    auto& item = list.items.emplace_back();
    item.insertText = run.shown;
    item.range = lsp::Range{position, position};
  }
  answer(run, lsp::InlineCompletionResult{std::move(list)});
}

void InlineCompletions::forget(const lsp::DocumentUri& uri) {
  layouts_.erase(uri);
  if (current_ && current_->place.document.uri == uri) current_->closed = true;
}

}  // namespace kinglet::daemon
