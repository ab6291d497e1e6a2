// Keeps what changed together in a repository, as its git history tells, up to HEAD.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "daemon/index_writer.h"
#include "daemon/processes/parse_client.h"
#include "indexer/history.h"

namespace kinglet::daemon {

/// For the protocol thread; the history itself is for any. It is read in a parse worker, and what
/// that sends is checked on the index's thread.
class HistoryReader {
 public:
  /// `on_read` is called whenever is_reading() ends. `parser` and `thread` outlive this.
  HistoryReader(std::string root,
                ParseClient& parser,
                IndexThread& thread,
                std::function<void()> on_read);
  HistoryReader(const HistoryReader&) = delete;
  HistoryReader& operator=(const HistoryReader&) = delete;
  ~HistoryReader();

  /// Asks whether HEAD has moved, and reads the history if so. One that could not be read is left
  /// alone: each attempt may cost two workers.
  void refresh();
  bool is_reading() const { return is_reading_; }
  /// Never null; empty where there is no history.
  const std::shared_ptr<const indexer::ChangeHistory>& latest() const { return latest_; }

 private:
  void ask();
  void answered(Result<wire::HistoryRead> answer);
  void checked(Result<indexer::ChangeHistory> history);
  void finish();

  std::string root_;
  ParseClient& parser_;
  IndexThread& thread_;
  std::stop_source stop_;
  std::shared_ptr<const indexer::ChangeHistory> latest_;
  std::function<void()> on_read_;
  bool has_failed_ = false;
  bool is_reading_ = false;
  bool again_ = false;
  std::shared_ptr<HistoryReader*> alive_;  // null once this is gone, for callbacks
};

}  // namespace kinglet::daemon
