// textDocument/hover
#pragma once

#include <stop_token>

#include "daemon/features/navigation.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// What the name at the place is: signature, documentation, where it is defined, and how sure that
/// is where it is not certain.
lsp::Response<lsp::HoverResult> describe_place(const NavigationJob& job,
                                               const std::stop_token& stop);

}  // namespace kinglet::daemon
