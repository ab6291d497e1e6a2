#include "daemon/methods.h"

#include "daemon/version.h"

namespace kinglet::daemon {

void bind_methods(lsp::Binder& bind, Session& session) {
  bind.request("initialize", &Session::initialize, &session);
  bind.request("kinglet/status", &Session::status, &session);

  bind.notification("initialized", &Session::initialized, &session);
  bind.notification("textDocument/didChange", &Session::did_change, &session);
  bind.notification("textDocument/didClose", &Session::did_close, &session);
  bind.notification("textDocument/didOpen", &Session::did_open, &session);
  bind.notification("textDocument/didSave", &Session::did_save, &session);
  bind.notification(
      "workspace/didChangeConfiguration", &Session::did_change_configuration, &session);
  bind.notification(
      "workspace/didChangeWorkspaceFolders", &Session::did_change_workspace_folders, &session);
}

lsp::ServerCapabilities server_capabilities(const Session& session) {
  lsp::ServerCapabilities capabilities;
  capabilities.positionEncoding = session.documents().encoding();
  capabilities.workspaceFolders = true;
  capabilities.experimental =
      lsp::Json{{"kinglet", {{"inlineStream", true}, {"version", kVersion}}}};
  return capabilities;
}

void start_features(Session& session) {
  // The model loads while the user has not typed yet; what goes wrong is said with the first
  // completion and in `kinglet status`.
  if (session.config().enabled) session.services().engine.when_loaded([](const auto&) {});
}

}  // namespace kinglet::daemon
