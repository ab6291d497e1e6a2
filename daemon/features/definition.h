// textDocument/definition
#pragma once

#include <stop_token>
#include <vector>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Of what `resolution` found the targets worth showing: of each entity the definition, or the
/// declarations where that is all there is; of a definition's own name its counterparts. The
/// likeliest first; what is much less likely than the first is left out.
std::vector<indexer::Target> likely_targets(const indexer::Resolution& resolution);

/// Where the place's name is defined, its import's file begins, or its local variable is declared.
lsp::Response<lsp::DefinitionResult> find_definition(const NavigationJob& job,
                                                     const std::stop_token& stop);

}  // namespace kinglet::daemon
