// Finding one's way: the LSP methods that the index answers, each in a file of its name, and what
// they have in common: a job is made on the protocol thread, done on the pool, and answered on the
// protocol thread again.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "daemon/config.h"
#include "daemon/features/indexed_texts.h"
#include "daemon/linked_indexes.h"
#include "daemon/processes/parse_client.h"
#include "daemon/semantics.h"
#include "indexer/clang/semantic_index.h"
#include "indexer/index.h"
#include "indexer/resolve.h"
#include "lsp/binder.h"
#include "lsp/documents.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// A repository that the session has open, as it is now.
struct NavigatedRoot {
  std::filesystem::path root;
  indexer::Snapshot index;  // as this session sees it
  indexer::Snapshot disk;   // as the files are, without what is unsaved
  OpenTexts open;           // what the session has open of it
  /// Null where libclang is not asked. For any thread.
  std::shared_ptr<const indexer::clang::SemanticIndex> semantics;
  std::uint64_t max_file_bytes = 0;
  bool is_wanted = true;  // the configuration's "navigation" is not "off"
  bool is_auto = true;    // it is "auto": nothing for languages that usually have a server
  bool is_alone =
      false;  // no repository: `index` is to be made of the document that is asked about
};

/// All that one request about a place needs, so that it can run on any thread.
struct NavigationJob {
  NavigatedRoot at;
  std::string path;  // below the root
  lsp::Document document;
  ByteOffset offset{0};
  lsp::PositionEncoding encoding = lsp::PositionEncoding::kUtf16;
  lsp::ClientCapabilities client;
  LinkedIndexes* links = nullptr;  // outlives the job

  /// Texts of this job; the document's among them.
  IndexedTexts texts() const;
  Result<indexer::LinkedIndex> linked(const std::stop_token& stop) const;
  /// What the place means; nothing where no name stands.
  Result<std::optional<indexer::Resolution>> resolve(const indexer::LinkedIndex& index,
                                                     const std::stop_token& stop) const;
  lsp::DocumentUri uri_of(const std::string& below) const;
};

class IndexDump;

/// What a session's navigation stands on; all outlive it.
struct NavigationServices {
  boost::asio::any_io_executor protocol;
  boost::asio::any_io_executor pool;
  ParseClient& parser;
  LinkedIndexes& links;
  const lsp::Documents& documents;
  const lsp::ClientCapabilities& client;
  /// The root that holds an absolute path, if one is open and indexed.
  std::function<std::optional<NavigatedRoot>(const std::string& path)> root_of;
  std::function<std::vector<NavigatedRoot>()> roots;
  /// What parses the C and C++ of the root that holds an absolute path; null: nobody.
  std::function<std::shared_ptr<Semantics>(const std::string& path)> semantics_of;
};

/// For the protocol thread. Answers null or an empty list where navigation is off and, with "auto",
/// in languages that usually have a server of their own; about documents of no open root from their
/// own text. Errors: InvalidParams and ContentModified as Documents::locate().
class Navigation {
 public:
  explicit Navigation(NavigationServices services) : services_(std::move(services)) {}

  void definition(const lsp::TextDocumentPositionParams& params,
                  std::stop_token stop,
                  lsp::Reply<lsp::DefinitionResult> reply);
  void references(const lsp::ReferenceParams& params,
                  std::stop_token stop,
                  lsp::Reply<std::vector<lsp::Location>> reply);
  void hover(const lsp::TextDocumentPositionParams& params,
             std::stop_token stop,
             lsp::Reply<lsp::HoverResult> reply);
  void document_highlight(const lsp::TextDocumentPositionParams& params,
                          std::stop_token stop,
                          lsp::Reply<std::vector<lsp::DocumentHighlight>> reply);
  void document_symbol(const lsp::DocumentSymbolParams& params,
                       std::stop_token stop,
                       lsp::Reply<lsp::DocumentSymbolResult> reply);
  void workspace_symbol(const lsp::WorkspaceSymbolParams& params,
                        std::stop_token stop,
                        lsp::Reply<std::vector<lsp::SymbolInformation>> reply);

  // ---- for our own commands, in every language

  /// kinglet/references: definitions and uses with confidence and reasons.
  void explained_references(const lsp::TextDocumentPositionParams& params,
                            std::stop_token stop,
                            lsp::Reply<lsp::Json> reply);
  /// kinglet/symbols: as workspace/symbol, with what the index knows of each.
  void explained_symbols(const lsp::WorkspaceSymbolParams& params,
                         std::stop_token stop,
                         lsp::Reply<lsp::Json> reply);
  /// kinglet/search: exact text, regular expressions, names of files.
  void search(const lsp::SearchParams& params, std::stop_token stop, lsp::Reply<lsp::Json> reply);
  /// kinglet/dump: the index as text, a page at a time.
  void dump(const lsp::DumpParams& params, std::stop_token stop, lsp::Reply<lsp::Json> reply);

 private:
  enum class Languages : std::uint8_t { kAsConfigured, kAll };

  /// Nothing: there is nothing to say about this document.
  lsp::Response<std::optional<NavigationJob>> job_for(const lsp::TextDocumentIdentifier& document,
                                                      std::optional<lsp::Position> position,
                                                      Languages languages) const;
  /// Runs `work` on the pool and answers with what it returns; an exception costs one request.
  template <class R>
  void post(std::stop_token stop,
            lsp::Reply<R> reply,
            std::function<lsp::Response<R>(const std::stop_token&)> work) const {
    boost::asio::post(services_.pool,
                      [protocol = services_.protocol,
                       stop = std::move(stop),
                       reply = std::move(reply),
                       work = std::move(work)]() mutable {
                        lsp::Response<R> response = R{};
                        try {
                          if (!stop.stop_requested()) response = work(stop);
                        } catch (const std::exception& error) {
                          response = lsp::fail(lsp::ResponseCode::kInternalError, error.what());
                        }
                        boost::asio::post(protocol,
                                          [reply = std::move(reply),
                                           was_stopped = stop.stop_requested(),
                                           response = std::move(response)]() mutable {
                                            if (reply.is_answered()) return;
                                            if (was_stopped) return reply.cancelled();
                                            reply(std::move(response));
                                          });
                      });
  }
  /// Runs `work` on the pool, after a worker has read the document if that stands alone.
  template <class R, class Work>
  void post_indexed(NavigationJob job, std::stop_token stop, lsp::Reply<R> reply, Work work) const;
  template <class R>
  void answer_at(const lsp::TextDocumentPositionParams& params,
                 std::stop_token stop,
                 lsp::Reply<R> reply,
                 Languages languages,
                 lsp::Response<R> (*work)(const NavigationJob&, const std::stop_token&)) const;

  /// Who parses the job's document; null: nobody.
  std::shared_ptr<Semantics> semantics_of(const NavigationJob& job) const;

  NavigationServices services_;
  std::shared_ptr<IndexDump> dump_;                       // while a client pages through it
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for what waits
};

/// Whether people usually run a language server for it: clangd, pyright, gopls, …. By an index
/// row's name or an LSP languageId.
bool usually_has_server(std::string_view language);

/// Of the index's kinds.
lsp::SymbolKind lsp_kind(indexer::SymbolKind kind);
std::optional<indexer::SymbolKind> kind_named(std::string_view name);

}  // namespace kinglet::daemon
