#include "daemon/features/workspace_symbol.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "indexer/fuzzy.h"
#include "lsp/uri.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

// A name is no longer than this; a query that is finds nothing.
constexpr std::size_t kMaxQueryBytes = 256;
constexpr std::uint32_t kDefaultLimit = 100;
constexpr std::uint32_t kMaxLimit = 10'000;
// With a container asked for, so many symbols of the name are looked at.
constexpr std::size_t kMaxLookedAt = 20'000;

struct Found {
  const NavigatedRoot* root;
  indexer::Symbol symbol;
  lsp::Range range;
  int score;
};

struct Query {
  std::string container;  // what stands before the last "::" or "."
  std::string name;
};

Query split(std::string_view text) {
  for (const std::string_view separator : {"::", "."}) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos || at == 0) continue;
    return {std::string(text.substr(0, at)), std::string(text.substr(at + separator.size()))};
  }
  return {"", std::string(text)};
}

enum class Languages : std::uint8_t { kAsConfigured, kAll };

lsp::Response<std::vector<Found>> find(const std::vector<NavigatedRoot>& roots,
                                       const lsp::WorkspaceSymbolParams& params,
                                       lsp::PositionEncoding encoding,
                                       Languages languages,
                                       const std::stop_token& stop) {
  std::vector<Found> found;
  if (params.query.size() > kMaxQueryBytes) return found;
  std::optional<indexer::SymbolKind> kind;
  if (params.kind) {
    kind = kind_named(*params.kind);
    if (!kind) {
      return lsp::fail(lsp::ResponseCode::kInvalidParams,
                       "there is no kind of symbol \"" + *params.kind + "\"");
    }
  }
  const std::size_t limit = std::min(params.limit.value_or(kDefaultLimit), kMaxLimit);
  const Query query = split(params.query);
  for (const NavigatedRoot& root : roots) {
    const bool is_filtered =
        !query.container.empty() || (languages == Languages::kAsConfigured && root.is_auto);
    auto symbols = root.index.find_symbols({.text = query.name,
                                            .match = indexer::SymbolQuery::Match::kFuzzy,
                                            .kind = kind,
                                            .limit = is_filtered ? kMaxLookedAt : limit});
    IndexedTexts texts(root.root, root.index, root.open, root.max_file_bytes);
    std::size_t n_of_root = 0;
    for (indexer::Symbol& symbol : symbols) {
      if (n_of_root == limit) break;
      if (stop.stop_requested())
        return lsp::fail(lsp::ResponseCode::kRequestCancelled, "cancelled");
      const indexer::Definition& definition = symbol.definition;
      if (!query.container.empty() &&
          !indexer::fuzzy_score(query.container, definition.container)) {
        continue;
      }
      if (languages == Languages::kAsConfigured && root.is_auto &&
          usually_has_server(symbol.language)) {
        continue;
      }
      const auto range =
          texts.locate(symbol.path, definition.name_range, definition.name, encoding);
      if (!range) continue;
      const int score = indexer::fuzzy_score(query.name, definition.name).value_or(0);
      found.push_back({&root, std::move(symbol), *range, score});
      ++n_of_root;
    }
  }
  // Each root's are in order; those of several roots are mixed by how well they fit.
  std::ranges::stable_sort(found, std::greater(), &Found::score);
  if (found.size() > limit)
    found.erase(found.begin() + static_cast<std::ptrdiff_t>(limit), found.end());
  return found;
}

lsp::DocumentUri uri_of(const Found& one) {
  return lsp::uri_from_path((one.root->root / one.symbol.path).string());
}

}  // namespace

lsp::Response<std::vector<lsp::SymbolInformation>> find_symbols(
    const std::vector<NavigatedRoot>& roots,
    const lsp::WorkspaceSymbolParams& params,
    lsp::PositionEncoding encoding,
    const std::stop_token& stop) {
  auto found = find(roots, params, encoding, Languages::kAsConfigured, stop);
  if (!found) return tl::unexpected(std::move(found).error());
  std::vector<lsp::SymbolInformation> symbols;
  for (const Found& one : *found) {
    const indexer::Definition& definition = one.symbol.definition;
    symbols.push_back({definition.name,
                       lsp_kind(definition.kind),
                       {uri_of(one), one.range},
                       definition.container});
  }
  return symbols;
}

lsp::Response<Json> explain_symbols(const std::vector<NavigatedRoot>& roots,
                                    const lsp::WorkspaceSymbolParams& params,
                                    lsp::PositionEncoding encoding,
                                    const std::stop_token& stop) {
  auto found = find(roots, params, encoding, Languages::kAll, stop);
  if (!found) return tl::unexpected(std::move(found).error());
  Json symbols = Json::array();
  for (const Found& one : *found) {
    const indexer::Definition& definition = one.symbol.definition;
    symbols.push_back({{"uri", uri_of(one)},
                       {"range", one.range},
                       {"name", definition.name},
                       {"kind", name_of(definition.kind)},
                       {"container", definition.container},
                       {"signature", definition.signature},
                       {"language", one.symbol.language}});
  }
  return symbols;
}

}  // namespace kinglet::daemon
