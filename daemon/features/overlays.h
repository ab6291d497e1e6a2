// What one session's editor shows and the disk does not hold: records of unsaved documents, laid
// over a repository's index for this session alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/processes/parse_client.h"
#include "daemon/repository.h"
#include "indexer/index.h"
#include "lsp/documents.h"

namespace kinglet::daemon {

/// For the protocol thread, on which nothing is parsed. A document is parsed when it changes, and
/// while it goes on changing at most every kInterval, one parse at a time, from the tree before;
/// and once more from nothing when it has not changed for kQuiet, if the way it was typed can show.
class Overlays {
 public:
  static constexpr std::chrono::milliseconds kInterval{20};
  static constexpr std::chrono::milliseconds kQuiet{1000};

  /// `parser` outlives this. Records are checked and laid out on `pool`.
  Overlays(boost::asio::any_io_executor protocol,
           boost::asio::any_io_executor pool,
           ParseClient& parser);
  Overlays(const Overlays&) = delete;
  Overlays& operator=(const Overlays&) = delete;
  ~Overlays();

  /// A document below the repository's root was opened or changed. Files that the repository leaves
  /// out stay out.
  void update(const lsp::Document& document, const std::shared_ptr<Repository>& repository);
  /// It was closed: the disk counts again.
  void forget(const lsp::DocumentUri& uri);

  /// The repository as this session sees it.
  indexer::Snapshot snapshot_of(const Repository& repository) const;
  /// Texts of the documents that differ from what is indexed, by path.
  std::map<std::string, std::shared_ptr<const lsp::TextBuffer>> texts_of(
      const Repository& repository) const;
  /// Tells one state of the other documents that were edited from another: of what a prompt for
  /// `path` may know from them.
  std::uint64_t edits_besides(const Repository& repository, const std::string& path) const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Entry;
  enum class From : std::uint8_t { kTreeBefore, kNothing };
  void parse(const std::shared_ptr<Entry>& entry, From from);
  void parse_at(const std::shared_ptr<Entry>& entry, TimePoint when, From from);
  void parsed(const std::shared_ptr<Entry>& entry,
              std::shared_ptr<const lsp::TextBuffer> text,
              Result<wire::Parsed> answer);
  void finished(const std::shared_ptr<Entry>& entry);
  /// Calls `visit(entry)` for each document whose record differs from the snapshot's.
  template <class Visit>
  void for_each(const Repository& repository, const indexer::Snapshot& base, Visit visit) const;

  boost::asio::any_io_executor protocol_;
  boost::asio::any_io_executor pool_;
  ParseClient& parser_;
  std::map<lsp::DocumentUri, std::shared_ptr<Entry>> entries_;
};

}  // namespace kinglet::daemon
