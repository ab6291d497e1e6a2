// The semantics of all repositories that are open, and what joins them to their indexes: a file
// whose indexed content changes is a file whose units are parsed again.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/processes/clang_client.h"
#include "daemon/repository.h"
#include "daemon/semantics.h"

namespace kinglet::daemon {

/// config.json's "clang": "all", "open" or "off".
ClangUse clang_use_of(std::string_view word);

/// For the protocol thread; files are compared on `pool`.
class SemanticsHub {
 public:
  /// `client` outlives this and everything that it handed out.
  SemanticsHub(ClangClient& client,
               boost::asio::any_io_executor protocol,
               boost::asio::any_io_executor pool);
  SemanticsHub(const SemanticsHub&) = delete;
  SemanticsHub& operator=(const SemanticsHub&) = delete;
  ~SemanticsHub();

  /// The semantics of a repository: one object for all that hold it, gone with the last of them.
  /// Its units are parsed when the index is ready, and again when it has changed.
  std::shared_ptr<Semantics> attach(const std::shared_ptr<Repository>& repository, ClangUse use);

 private:
  class Watch;

  ClangClient& client_;
  boost::asio::any_io_executor protocol_;
  boost::asio::any_io_executor pool_;
  std::map<const Repository*, std::weak_ptr<Watch>> watches_;
};

}  // namespace kinglet::daemon
