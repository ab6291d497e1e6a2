#include "daemon/features/document_symbol.h"

#include <span>
#include <utility>
#include <vector>

#include "indexer/record.h"

namespace kinglet::daemon {
namespace {

// A tree of this depth is drawn by no editor, and recursion follows it.
constexpr std::size_t kMaxDepth = 64;

lsp::DocumentSymbol to_lsp(const NavigationJob& job, const indexer::Definition& definition) {
  const lsp::TextBuffer& text = *job.document.text;
  lsp::DocumentSymbol symbol;
  symbol.name = definition.name.empty() ? "?" : definition.name;
  symbol.detail = definition.signature;
  symbol.kind = lsp_kind(definition.kind);
  symbol.range = lsp_range(text, definition.range, job.encoding);
  symbol.selectionRange = lsp_range(text, definition.name_range, job.encoding);
  // Clients refuse a name that is not inside.
  const bool is_inside = symbol.range.start <= symbol.selectionRange.start &&
                         symbol.selectionRange.end <= symbol.range.end;
  if (!is_inside) symbol.selectionRange = {symbol.range.start, symbol.range.start};
  return symbol;
}

lsp::DocumentSymbolResult outline(const NavigationJob& job,
                                  const std::vector<const indexer::Definition*>& definitions) {
  if (!job.client.hierarchicalSymbols) {
    std::vector<lsp::SymbolInformation> list;
    for (const indexer::Definition* definition : definitions) {
      lsp::DocumentSymbol symbol = to_lsp(job, *definition);
      list.push_back({std::move(symbol.name),
                      symbol.kind,
                      {job.document.uri, symbol.selectionRange},
                      definition->container});
    }
    return {std::move(list)};
  }
  // They come by their beginning, the longer first: who holds the next one is on the way to the
  // last one.
  struct Open {
    lsp::DocumentSymbol symbol;
    ByteRange range;
  };
  std::vector<lsp::DocumentSymbol> roots;
  std::vector<Open> path;
  const auto close_last = [&] {
    lsp::DocumentSymbol done = std::move(path.back().symbol);
    path.pop_back();
    (path.empty() ? roots : path.back().symbol.children).push_back(std::move(done));
  };
  for (const indexer::Definition* definition : definitions) {
    const auto holds = [&](ByteRange outer) {
      return outer.begin <= definition->range.begin && definition->range.end <= outer.end &&
             outer != definition->range;
    };
    while (!path.empty() && (!holds(path.back().range) || path.size() >= kMaxDepth))
      close_last();
    path.push_back({to_lsp(job, *definition), definition->range});
  }
  while (!path.empty())
    close_last();
  return {std::move(roots)};
}

}  // namespace

lsp::DocumentSymbolResult outline_of(const NavigationJob& job) {
  const std::vector<indexer::Symbol> symbols = job.at.index.definitions_in(job.path);
  std::vector<const indexer::Definition*> definitions;
  definitions.reserve(symbols.size());
  for (const indexer::Symbol& symbol : symbols)
    definitions.push_back(&symbol.definition);
  return outline(job, definitions);
}

lsp::Response<lsp::DocumentSymbolResult> outline_of(const NavigationJob& job,
                                                    const Result<wire::Parsed>& parsed) {
  if (!parsed) return tl::unexpected(lsp::ResponseError(parsed.error()));
  if (parsed->skipped) return lsp::DocumentSymbolResult{};
  const auto record = indexer::deserialize(std::as_bytes(std::span(parsed->record)));
  if (!record) return tl::unexpected(lsp::ResponseError(record.error()));
  std::vector<const indexer::Definition*> definitions;
  for (const indexer::Definition& definition : record->definitions)
    definitions.push_back(&definition);
  return outline(job, definitions);
}

}  // namespace kinglet::daemon
