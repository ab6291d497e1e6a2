// What the server can do: one row per method in methods.cpp.
#pragma once

#include "daemon/session.h"
#include "lsp/binder.h"
#include "lsp/protocol.h"

namespace kinglet::daemon {

void bind_methods(lsp::Binder& bind, Session& session);

/// What `initialize` answers.
lsp::ServerCapabilities server_capabilities(const Session& session);

}  // namespace kinglet::daemon
