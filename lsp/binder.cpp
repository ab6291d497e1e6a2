#include "lsp/binder.h"

#include <cassert>

namespace kinglet::lsp {

struct RawReply::State {
  std::string method;
  Answer answer;
  bool is_answered = false;

  State(std::string the_method, Answer the_answer)
      : method(std::move(the_method)), answer(std::move(the_answer)) {}
  State(const State&) = delete;  // the destructor answers: there is one of it
  State& operator=(const State&) = delete;
  ~State() {
    if (is_answered) return;
    answer(fail(ResponseCode::kInternalError, method + ": the handler gave no answer"));
  }
};

RawReply::RawReply(std::string method, Answer answer)
    : state_(std::make_shared<State>(std::move(method), std::move(answer))) {}

void RawReply::operator()(Response<Json> response) const {
  assert(!state_->is_answered && "a request is answered once");
  if (state_->is_answered) return;
  state_->is_answered = true;
  state_->answer(std::move(response));
}

bool RawReply::is_answered() const {
  return state_->is_answered;
}

const Binder::RequestHandler* Binder::find_request(std::string_view method) const {
  const auto row = requests_.find(method);
  return row == requests_.end() ? nullptr : &row->second;
}

const Binder::NotificationHandler* Binder::find_notification(std::string_view method) const {
  const auto row = notifications_.find(method);
  return row == notifications_.end() ? nullptr : &row->second;
}

void Binder::insert(std::string method, RequestHandler handler) {
  const bool inserted = requests_.emplace(std::move(method), std::move(handler)).second;
  assert(inserted && "a method is bound once");
  (void)inserted;
}

void Binder::insert(std::string method, NotificationHandler handler) {
  const bool inserted = notifications_.emplace(std::move(method), std::move(handler)).second;
  assert(inserted && "a method is bound once");
  (void)inserted;
}

}  // namespace kinglet::lsp
