// textDocument/references, and kinglet/references for `kinglet refs`.
#pragma once

#include <stop_token>
#include <vector>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Uses of what stands at the place, by URI and position.
lsp::Response<std::vector<lsp::Location>> find_uses(const NavigationJob& job,
                                                    const std::stop_token& stop);
/// Its declarations and definitions among them.
lsp::Response<std::vector<lsp::Location>> find_uses_and_definitions(const NavigationJob& job,
                                                                    const std::stop_token& stop);

/// {name, source, definitions: [{uri, range, name, kind, container, signature, confidence,
/// reasons}], uses: [{uri, range, confidence, text}], files: [{uri, confidence}], skippedFiles};
/// null where no name stands.
lsp::Response<lsp::Json> explain_references(const NavigationJob& job, const std::stop_token& stop);

}  // namespace kinglet::daemon
