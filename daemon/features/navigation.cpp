#include "daemon/features/navigation.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string_view>

#include <boost/asio/steady_timer.hpp>

#include "daemon/features/definition.h"
#include "daemon/features/document_highlight.h"
#include "daemon/features/document_symbol.h"
#include "daemon/features/hover.h"
#include "daemon/features/index_search.h"
#include "daemon/features/references.h"
#include "daemon/features/workspace_symbol.h"
#include "indexer/clang/compile_commands.h"
#include "indexer/language.h"
#include "indexer/record.h"
#include "indexer/segment.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace {

// A hover that comes later is a hover that nobody waited for.
constexpr std::chrono::milliseconds kHoverPatience{150};
// `kinglet refs` opens a file and asks at once: a unit takes this long.
constexpr std::chrono::milliseconds kUnitPatience{5000};

}  // namespace

bool usually_has_server(std::string_view language) {
  static constexpr std::string_view kServed[] = {"c",
                                                 "cpp",
                                                 "objective-c",
                                                 "objective-cpp",
                                                 "cuda",
                                                 "python",
                                                 "javascript",
                                                 "typescript",
                                                 "javascriptreact",
                                                 "tsx",
                                                 "java",
                                                 "kotlin",
                                                 "typescriptreact",
                                                 "rust",
                                                 "go",
                                                 "csharp",
                                                 "swift",
                                                 "ruby",
                                                 "php",
                                                 "lua",
                                                 "html",
                                                 "css",
                                                 "json",
                                                 "jsonc",
                                                 "yaml",
                                                 "bash",
                                                 "shellscript",
                                                 "sh",
                                                 "haskell",
                                                 "scala",
                                                 "dart",
                                                 "zig",
                                                 "elixir",
                                                 "vue",
                                                 "svelte"};
  return std::ranges::find(kServed, language) != std::end(kServed);
}

lsp::SymbolKind lsp_kind(indexer::SymbolKind kind) {
  struct Row {
    std::string_view name;
    lsp::SymbolKind kind;
  };
  static constexpr Row kRows[] = {{"function", lsp::SymbolKind::kFunction},
                                  {"method", lsp::SymbolKind::kMethod},
                                  {"class", lsp::SymbolKind::kClass},
                                  {"struct", lsp::SymbolKind::kStruct},
                                  {"union", lsp::SymbolKind::kStruct},
                                  {"enum", lsp::SymbolKind::kEnum},
                                  {"enumerator", lsp::SymbolKind::kEnumMember},
                                  {"namespace", lsp::SymbolKind::kNamespace},
                                  {"type", lsp::SymbolKind::kClass},
                                  {"macro", lsp::SymbolKind::kConstant},
                                  {"variable", lsp::SymbolKind::kVariable},
                                  {"field", lsp::SymbolKind::kField},
                                  {"constant", lsp::SymbolKind::kConstant},
                                  {"interface", lsp::SymbolKind::kInterface},
                                  {"module", lsp::SymbolKind::kModule},
                                  {"key", lsp::SymbolKind::kKey},
                                  {"heading", lsp::SymbolKind::kString},
                                  {"selector", lsp::SymbolKind::kClass},
                                  {"table", lsp::SymbolKind::kStruct}};
  const auto row = std::ranges::find(kRows, indexer::name_of(kind), &Row::name);
  return row == std::end(kRows) ? lsp::SymbolKind::kVariable : row->kind;
}

std::optional<indexer::SymbolKind> kind_named(std::string_view name) {
  for (int i = 0; i < indexer::kSymbolKinds; ++i) {
    const auto kind = static_cast<indexer::SymbolKind>(i);
    if (indexer::name_of(kind) == name) return kind;
  }
  return std::nullopt;
}

namespace {

/// The name of a document outside of all repositories: its language is told by it.
std::string name_alone(std::string_view path, std::string_view language_id) {
  if (!path.empty()) return std::filesystem::path(path).filename().string();
  const indexer::Language* language = indexer::find_language(language_id);
  const std::string_view extensions = language != nullptr ? language->extensions : "";
  return "untitled." + std::string(extensions.substr(0, extensions.find(' ')));
}

}  // namespace

IndexedTexts NavigationJob::texts() const {
  OpenTexts open = at.open;
  open[path] = document.text;
  return {at.root, at.index, std::move(open), at.max_file_bytes};
}

Result<indexer::LinkedIndex> NavigationJob::linked(const std::stop_token& stop) const {
  if (at.is_alone) return indexer::LinkedIndex{.snapshot = at.index, .graph = nullptr};
  return links->link(at.root, at.index, at.max_file_bytes, stop);
}

Result<std::optional<indexer::Resolution>> NavigationJob::resolve(
    const indexer::LinkedIndex& index, const std::stop_token& stop) const {
  return indexer::resolve(index, path, document.text->text(), value(offset), stop);
}

lsp::DocumentUri NavigationJob::uri_of(const std::string& below) const {
  return at.is_alone ? document.uri : lsp::uri_from_path((at.root / below).string());
}

std::shared_ptr<Semantics> Navigation::semantics_of(const NavigationJob& job) const {
  if (!job.at.semantics || !indexer::clang::is_c_family(job.path)) return nullptr;
  return services_.semantics_of((job.at.root / job.path).string());
}

lsp::Response<std::optional<NavigationJob>> Navigation::job_for(
    const lsp::TextDocumentIdentifier& document,
    std::optional<lsp::Position> position,
    Languages languages) const {
  NavigationJob job;
  if (position) {
    auto place = services_.documents.locate(document, *position);
    if (!place) return tl::unexpected(std::move(place).error());
    job.document = std::move(place->document);
    job.offset = place->offset;
  } else {
    auto found = services_.documents.get(document);
    if (!found) return tl::unexpected(std::move(found).error());
    job.document = *std::move(found);
  }
  const auto path = lsp::path_from_uri(document.uri);
  auto root = services_.root_of(path.value_or(""));
  if (!root || (languages == Languages::kAsConfigured && !root->is_wanted)) {
    return std::optional<NavigationJob>();
  }
  job.at = *std::move(root);
  job.path = job.at.is_alone
                 ? name_alone(path.value_or(""), job.document.languageId)
                 : std::filesystem::path(*path).lexically_relative(job.at.root).string();
  job.encoding = services_.documents.encoding();
  job.client = services_.client;
  job.links = &services_.links;
  if (languages == Languages::kAsConfigured && job.at.is_auto) {
    const auto file = job.at.index.file(job.path);
    const std::string_view text = job.document.text->text();
    const std::string language =
        file ? file->language : std::string(indexer::language_of(job.path, text).name);
    if (usually_has_server(language) || usually_has_server(job.document.languageId)) {
      return std::optional<NavigationJob>();
    }
  }
  return std::optional(std::move(job));
}

template <class R, class Work>
void Navigation::post_indexed(NavigationJob job,
                              std::stop_token stop,
                              lsp::Reply<R> reply,
                              Work work) const {
  if (!job.at.is_alone) {
    return post<R>(std::move(stop),
                   std::move(reply),
                   [job = std::move(job), work](const auto& token) { return work(job, token); });
  }
  const wire::Parse request{.root = "/",
                            .path = job.path,
                            .text = std::string(job.document.text->text()),
                            .max_file_bytes = job.at.max_file_bytes};
  services_.parser.parse(
      request,
      Urgency::kInteractive,
      stop,
      [this, weak = std::weak_ptr(alive_), stop, reply, work, job = std::move(job)](
          Result<wire::Parsed> parsed) mutable {
        if (weak.expired()) return;
        std::string bytes = parsed ? std::move(parsed->record) : "";
        post<R>(std::move(stop),
                std::move(reply),
                [work, job = std::move(job), bytes = std::move(bytes)](const auto& token) mutable {
                  if (const auto record = indexer::deserialize(std::as_bytes(std::span(bytes)))) {
                    const indexer::Overlaid own{
                        .path = job.path, .segment = indexer::Segment::of_file(job.path, *record)};
                    job.at.index = job.at.index.with(std::span(&own, 1));
                  }
                  return work(job, token);
                });
      });
}

template <class R>
void Navigation::answer_at(const lsp::TextDocumentPositionParams& params,
                           std::stop_token stop,
                           lsp::Reply<R> reply,
                           Languages languages,
                           lsp::Response<R> (*work)(const NavigationJob&,
                                                    const std::stop_token&)) const {
  auto job = job_for(params.textDocument, params.position, languages);
  if (!job) return reply(tl::unexpected(std::move(job).error()));
  if (!*job) return reply(R{});
  post_indexed<R>(**std::move(job), std::move(stop), std::move(reply), work);
}

void Navigation::definition(const lsp::TextDocumentPositionParams& params,
                            std::stop_token stop,
                            lsp::Reply<lsp::DefinitionResult> reply) {
  answer_at(params, std::move(stop), std::move(reply), Languages::kAsConfigured, &find_definition);
}

void Navigation::references(const lsp::ReferenceParams& params,
                            std::stop_token stop,
                            lsp::Reply<std::vector<lsp::Location>> reply) {
  answer_at({params.textDocument, params.position},
            std::move(stop),
            std::move(reply),
            Languages::kAsConfigured,
            params.context.includeDeclaration ? &find_uses_and_definitions : &find_uses);
}

void Navigation::hover(const lsp::TextDocumentPositionParams& params,
                       std::stop_token stop,
                       lsp::Reply<lsp::HoverResult> reply) {
  auto made = job_for(params.textDocument, params.position, Languages::kAsConfigured);
  if (!made) return reply(tl::unexpected(std::move(made).error()));
  if (!*made) return reply(lsp::HoverResult{});
  NavigationJob job = **std::move(made);
  const auto semantics = semantics_of(job);
  if (!semantics ||
      !semantics->hovers_within(job.path, job.document.text->text(), kHoverPatience)) {
    return post_indexed<lsp::HoverResult>(std::move(job),
                                          std::move(stop),
                                          std::move(reply),
                                          [](const auto& asked, const auto& token) {
                                            return describe_place(asked, std::nullopt, token);
                                          });
  }
  std::stop_source parsing;
  const auto patience = std::make_shared<boost::asio::steady_timer>(services_.protocol);
  patience->expires_after(kHoverPatience);
  patience->async_wait([parsing](const auto& error) mutable {
    if (!error) parsing.request_stop();
  });
  // Before the job moves away.
  const std::string path = job.path;
  const std::uint32_t offset = value(job.offset);
  semantics->hover(
      path,
      offset,
      parsing.get_token(),
      [this,
       weak = std::weak_ptr(alive_),
       patience,
       stop = std::move(stop),
       reply = std::move(reply),
       job = std::move(job)](Result<wire::ClangHovered> hovered) mutable {
        patience->cancel();
        if (weak.expired()) return;
        post<lsp::HoverResult>(
            std::move(stop),
            std::move(reply),
            [job = std::move(job), text = hovered ? std::move(hovered->text) : std::nullopt](
                const auto& token) { return describe_place(job, text, token); });
      });
}

void Navigation::document_highlight(const lsp::TextDocumentPositionParams& params,
                                    std::stop_token stop,
                                    lsp::Reply<std::vector<lsp::DocumentHighlight>> reply) {
  answer_at(params, std::move(stop), std::move(reply), Languages::kAsConfigured, &highlights_at);
}

void Navigation::document_symbol(const lsp::DocumentSymbolParams& params,
                                 std::stop_token stop,
                                 lsp::Reply<lsp::DocumentSymbolResult> reply) {
  auto found = job_for(params.textDocument, std::nullopt, Languages::kAsConfigured);
  if (!found) return reply(tl::unexpected(std::move(found).error()));
  if (!*found) return reply(lsp::DocumentSymbolResult{});
  NavigationJob job = **std::move(found);
  const auto file = job.at.index.file(job.path);
  const std::string_view text = job.document.text->text();
  if (file && indexer::hash_content(text) == file->hash) {
    return post<lsp::DocumentSymbolResult>(
        std::move(stop), std::move(reply), [job = std::move(job)](const std::stop_token&) {
          return lsp::Response<lsp::DocumentSymbolResult>(outline_of(job));
        });
  }
  // What is typed is not indexed yet: a worker reads it, for this answer alone.
  const wire::Parse request{.root = job.at.root.string(),
                            .path = job.path,
                            .text = std::string(text),
                            .max_file_bytes = job.at.max_file_bytes};
  services_.parser.parse(request,
                         Urgency::kInteractive,
                         stop,
                         [job = std::move(job), stop, reply](const Result<wire::Parsed>& parsed) {
                           if (reply.is_answered()) return;
                           if (stop.stop_requested()) return reply.cancelled();
                           reply(outline_of(job, parsed));
                         });
}

void Navigation::workspace_symbol(const lsp::WorkspaceSymbolParams& params,
                                  std::stop_token stop,
                                  lsp::Reply<std::vector<lsp::SymbolInformation>> reply) {
  std::vector<NavigatedRoot> roots = services_.roots();
  std::erase_if(roots, [](const NavigatedRoot& root) { return !root.is_wanted; });
  post<std::vector<lsp::SymbolInformation>>(
      std::move(stop),
      std::move(reply),
      [roots = std::move(roots), params, encoding = services_.documents.encoding()](
          const std::stop_token& token) { return find_symbols(roots, params, encoding, token); });
}

void Navigation::explained_references(const lsp::TextDocumentPositionParams& params,
                                      std::stop_token stop,
                                      lsp::Reply<lsp::Json> reply) {
  const auto made = job_for(params.textDocument, params.position, Languages::kAll);
  const auto semantics = made && *made ? semantics_of(**made) : nullptr;
  auto ask = [this, params, stop = std::move(stop), reply = std::move(reply)]() mutable {
    answer_at(params, std::move(stop), std::move(reply), Languages::kAll, &explain_references);
  };
  if (!semantics) return ask();
  semantics->when_parsed(
      (*made)->path, kUnitPatience, [weak = std::weak_ptr(alive_), ask = std::move(ask)]() mutable {
        if (!weak.expired()) ask();
      });
}

void Navigation::explained_symbols(const lsp::WorkspaceSymbolParams& params,
                                   std::stop_token stop,
                                   lsp::Reply<lsp::Json> reply) {
  post<lsp::Json>(std::move(stop),
                  std::move(reply),
                  [roots = services_.roots(), params, encoding = services_.documents.encoding()](
                      const std::stop_token& token) {
                    return explain_symbols(roots, params, encoding, token);
                  });
}

void Navigation::search(const lsp::SearchParams& params,
                        std::stop_token stop,
                        lsp::Reply<lsp::Json> reply) {
  post<lsp::Json>(std::move(stop),
                  std::move(reply),
                  [roots = services_.roots(), params](const std::stop_token& token) {
                    return search_files(roots, params, token);
                  });
}

void Navigation::dump(const lsp::DumpParams& params,
                      std::stop_token stop,
                      lsp::Reply<lsp::Json> reply) {
  if (params.page == 0) {
    std::vector<indexer::Snapshot> indexes;
    for (const NavigatedRoot& root : services_.roots())
      indexes.push_back(root.disk);
    dump_ = std::make_shared<IndexDump>(std::move(indexes));
  }
  post<lsp::Json>(std::move(stop),
                  std::move(reply),
                  [dump = dump_, number = params.page](const std::stop_token&) {
                    auto page = dump ? dump->page(number) : std::nullopt;
                    return page ? lsp::Response<lsp::Json>(*std::move(page))
                                : lsp::fail(lsp::ResponseCode::kInvalidParams,
                                            "pages are asked for in their order, page 0 first");
                  });
}

}  // namespace kinglet::daemon
