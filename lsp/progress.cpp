#include "lsp/progress.h"

#include <atomic>
#include <utility>

namespace kinglet::lsp {
namespace {

std::int64_t next_token_number() {
  static std::atomic<std::int64_t> n_tokens = 0;
  return ++n_tokens;
}

}  // namespace

struct WorkDoneProgress::State {
  enum class Phase { kAsked, kShown, kOver };

  Client client;
  ProgressToken token;
  std::string title;
  Phase phase = Phase::kAsked;
  WorkDoneProgressReport last;  // what is shown, or will be once the client agreed

  void show() {
    phase = Phase::kShown;
    client.progress(token,
                    WorkDoneProgressBegin{
                        .title = title, .message = last.message, .percentage = last.percentage});
  }
};

WorkDoneProgress::WorkDoneProgress(Client client,
                                   const ClientCapabilities& capabilities,
                                   std::string title) {
  if (!capabilities.workDoneProgress) return;
  state_ =
      std::make_shared<State>(State{.client = std::move(client),
                                    .token = {"kinglet-" + std::to_string(next_token_number())},
                                    .title = std::move(title),
                                    .last = {}});
  const auto on_created = [weak = std::weak_ptr(state_)](const Response<Null>& created) {
    const auto state = weak.lock();
    if (!state || state->phase != State::Phase::kAsked) return;
    if (created) {
      state->show();
    } else {
      state->phase = State::Phase::kOver;
    }
  };
  state_->client.request<Null>(
      "window/workDoneProgress/create", WorkDoneProgressCreateParams{state_->token}, on_created);
}

WorkDoneProgress& WorkDoneProgress::operator=(WorkDoneProgress&& other) noexcept {
  if (this != &other) {
    end();
    state_ = std::move(other.state_);
  }
  return *this;
}

WorkDoneProgress::~WorkDoneProgress() {
  end();
}

void WorkDoneProgress::report(std::string message, std::optional<std::uint32_t> percentage) {
  if (!state_ || state_->phase == State::Phase::kOver) return;
  WorkDoneProgressReport& last = state_->last;
  if (last.message == message && last.percentage == percentage) return;
  last = {.message = std::move(message), .percentage = percentage};
  if (state_->phase == State::Phase::kShown) state_->client.progress(state_->token, last);
}

void WorkDoneProgress::end(std::optional<std::string> message) {
  if (!state_) return;
  if (state_->phase == State::Phase::kShown) {
    state_->client.progress(state_->token, WorkDoneProgressEnd{.message = std::move(message)});
  }
  state_->phase = State::Phase::kOver;
}

}  // namespace kinglet::lsp
