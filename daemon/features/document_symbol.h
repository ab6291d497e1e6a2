// textDocument/documentSymbol
#pragma once

#include "daemon/base/result.h"
#include "daemon/features/navigation.h"
#include "daemon/wire/messages.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// The document's definitions, as a tree if the client can draw one. REQUIRES: the document's text
/// is what was indexed.
lsp::DocumentSymbolResult outline_of(const NavigationJob& job);

/// The same from what a parse worker made of the document's text.
lsp::Response<lsp::DocumentSymbolResult> outline_of(const NavigationJob& job,
                                                    const Result<wire::Parsed>& parsed);

}  // namespace kinglet::daemon
