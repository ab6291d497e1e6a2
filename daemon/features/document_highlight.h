// textDocument/documentHighlight
#pragma once

#include <stop_token>
#include <vector>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Where in its document the place's name means the same, by position. Definitions are writes, uses
/// are text: syntax does not tell reading from writing.
lsp::Response<std::vector<lsp::DocumentHighlight>> highlights_at(const NavigationJob& job,
                                                                 const std::stop_token& stop);

}  // namespace kinglet::daemon
