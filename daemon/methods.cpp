#include "daemon/methods.h"

#include "daemon/version.h"

namespace kinglet::daemon {

void bind_methods(lsp::Binder& bind, Session& session) {
  bind.request("initialize", &Session::initialize, &session);
  SessionFeatures& features = session.features();
  Navigation& navigation = features.navigation();
  bind.request("kinglet/context", &SessionFeatures::context, &features);
  bind.request("kinglet/dump", &Navigation::dump, &navigation);
  bind.request("kinglet/explain", &SessionFeatures::explain, &features);
  bind.request("kinglet/ready", &SessionFeatures::ready, &features);
  bind.request("kinglet/references", &Navigation::explained_references, &navigation);
  bind.request("kinglet/search", &Navigation::search, &navigation);
  bind.request("kinglet/status", &SessionFeatures::status, &features);
  bind.request("kinglet/symbols", &Navigation::explained_symbols, &navigation);
  bind.request("textDocument/definition", &Navigation::definition, &navigation);
  bind.request("textDocument/documentHighlight", &Navigation::document_highlight, &navigation);
  bind.request("textDocument/documentSymbol", &Navigation::document_symbol, &navigation);
  bind.request("textDocument/hover", &Navigation::hover, &navigation);
  bind.request("textDocument/inlineCompletion", &SessionFeatures::inline_completion, &features);
  bind.request("textDocument/references", &Navigation::references, &navigation);
  bind.request("workspace/symbol", &Navigation::workspace_symbol, &navigation);

  bind.notification("initialized", &Session::initialized, &session);
  bind.notification("textDocument/didChange", &Session::did_change, &session);
  bind.notification("textDocument/didClose", &Session::did_close, &session);
  bind.notification("textDocument/didOpen", &Session::did_open, &session);
  bind.notification("textDocument/didSave", &Session::did_save, &session);
  bind.notification(
      "workspace/didChangeConfiguration", &Session::did_change_configuration, &session);
  bind.notification(
      "workspace/didChangeWatchedFiles", &SessionFeatures::did_change_watched_files, &features);
  bind.notification(
      "workspace/didChangeWorkspaceFolders", &Session::did_change_workspace_folders, &session);
}

lsp::ServerCapabilities server_capabilities(const Session& session) {
  lsp::ServerCapabilities capabilities;
  capabilities.positionEncoding = session.documents().encoding();
  capabilities.inlineCompletionProvider = true;
  capabilities.navigationProviders = session.config().navigation != "off";
  capabilities.workspaceFolders = true;
  capabilities.experimental =
      lsp::Json{{"kinglet", {{"inlineStream", true}, {"version", kVersion}}}};
  return capabilities;
}

}  // namespace kinglet::daemon
