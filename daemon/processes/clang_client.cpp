#include "daemon/processes/clang_client.h"

#include <utility>

namespace kinglet::daemon {

ClangClient::ClangClient(boost::asio::any_io_executor executor, ClangOptions options)
    : unit_deadline_(options.unit_deadline),
      interactive_deadline_(options.interactive_deadline),
      pool_(std::move(executor),
            {.kind = "clang",
             .spawn = std::move(options.spawn),
             .n_workers = 1,
             .idle_exit = options.idle_exit,
             .memory_limit = options.memory_limit}) {}

template <class Answer, class Request>
void ClangClient::add(const Request& request,
                      Urgency urgency,
                      std::stop_token stop,
                      OnDone<Answer> on_done) {
  auto asked = single_answer(request, std::move(on_done));
  asked.urgency = urgency;
  asked.deadline = urgency == Urgency::kInteractive ? interactive_deadline_ : unit_deadline_;
  asked.root = request.root;
  pool_.add(std::move(asked), std::move(stop));
}

void ClangClient::plan(const wire::ClangPlan& request,
                       std::stop_token stop,
                       OnDone<wire::ClangPlanned> on_done) {
  add(request, Urgency::kInteractive, std::move(stop), std::move(on_done));
}

void ClangClient::index(const wire::ClangIndex& request,
                        Urgency urgency,
                        std::stop_token stop,
                        OnDone<wire::ClangIndexed> on_done) {
  add(request, urgency, std::move(stop), std::move(on_done));
}

void ClangClient::hover(const wire::ClangHover& request,
                        std::stop_token stop,
                        OnDone<wire::ClangHovered> on_done) {
  add(request, Urgency::kInteractive, std::move(stop), std::move(on_done));
}

}  // namespace kinglet::daemon
