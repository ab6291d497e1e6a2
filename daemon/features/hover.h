// textDocument/hover
#pragma once

#include <optional>
#include <stop_token>

#include "daemon/features/navigation.h"
#include "daemon/wire/messages.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// What the name at the place is: signature, documentation, where it is defined, and how sure that
/// is where it is not certain. `hovered` is what libclang said of the very place, if it was asked.
lsp::Response<lsp::HoverResult> describe_place(const NavigationJob& job,
                                               const std::optional<wire::HoverText>& hovered,
                                               const std::stop_token& stop);

}  // namespace kinglet::daemon
