// workspace/symbol, and kinglet/symbols for `kinglet symbols`.
#pragma once

#include <stop_token>
#include <vector>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Symbols of all roots whose names hold the query's letters in order, best first. `Foo::ba` and
/// `foo.ba` ask for what Foo contains. At most `params.limit`, 100 unless told otherwise.
lsp::Response<std::vector<lsp::SymbolInformation>> find_symbols(
    const std::vector<NavigatedRoot>& roots,
    const lsp::WorkspaceSymbolParams& params,
    lsp::PositionEncoding encoding,
    const std::stop_token& stop);

/// The same in every language: a list of {uri, range, name, kind, container, signature, language}.
lsp::Response<lsp::Json> explain_symbols(const std::vector<NavigatedRoot>& roots,
                                         const lsp::WorkspaceSymbolParams& params,
                                         lsp::PositionEncoding encoding,
                                         const std::stop_token& stop);

}  // namespace kinglet::daemon
