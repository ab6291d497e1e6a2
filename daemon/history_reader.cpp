#include "daemon/history_reader.h"

#include <utility>

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

namespace kinglet::daemon {

HistoryReader::HistoryReader(std::string root,
                             ParseClient& parser,
                             IndexThread& thread,
                             std::function<void()> on_read)
    : root_(std::move(root)),
      parser_(parser),
      thread_(thread),
      latest_(std::make_shared<const indexer::ChangeHistory>()),
      on_read_(std::move(on_read)),
      alive_(std::make_shared<HistoryReader*>(this)) {}

HistoryReader::~HistoryReader() {
  *alive_ = nullptr;
  stop_.request_stop();
}

void HistoryReader::refresh() {
  if (has_failed_) return;
  again_ = is_reading_;
  if (!std::exchange(is_reading_, true)) ask();
}

void HistoryReader::ask() {
  parser_.read_history({.root = root_, .known_commit = latest_->commit()},
                       stop_.get_token(),
                       [this, alive = alive_](Result<wire::HistoryRead> answer) {
                         if (*alive != nullptr) answered(std::move(answer));
                       });
}

void HistoryReader::answered(Result<wire::HistoryRead> answer) {
  if (!answer) return checked(tl::unexpected(std::move(answer).error()));
  if (!answer->history) return finish();
  thread_.post(
      [this, alive = alive_, protocol = thread_.protocol(), bytes = *std::move(answer->history)](
          indexer::Store&) {
        auto history = indexer::deserialize_history(bytes);
        boost::asio::post(protocol, [this, alive, history = std::move(history)]() mutable {
          if (*alive != nullptr) checked(std::move(history));
        });
      });
}

void HistoryReader::checked(Result<indexer::ChangeHistory> history) {
  if (history) {
    latest_ = std::make_shared<const indexer::ChangeHistory>(*std::move(history));
  } else {
    has_failed_ = true;
    spdlog::info("no git history: {}", history.error().message);
  }
  finish();
}

void HistoryReader::finish() {
  if (std::exchange(again_, false) && !has_failed_) return ask();
  is_reading_ = false;
  on_read_();
}

}  // namespace kinglet::daemon
