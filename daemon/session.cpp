#include "daemon/session.h"

#include <filesystem>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/methods.h"
#include "daemon/version.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace {

bool holds(std::string_view root, std::string_view path) {
  if (root == "/") return path.size() > 1 && path.front() == '/';
  return path.size() > root.size() && path.substr(0, root.size()) == root &&
         path[root.size()] == '/';
}

}  // namespace

Session::Session(Services& services, SessionOptions options)
    : services_(services),
      flags_(std::move(options.flags)),
      config_(services.config),
      features_(*this),
      server_({.send = std::move(options.send),
               .log = [](std::string_view line) { spdlog::warn("client: {}", line); }}) {
  bind_methods(server_.bind(), *this);
}

Session::~Session() {
  services_.give_back_engine(this);
}

void Session::receive(std::string_view bytes) {
  server_.feed(bytes);
}

void Session::end_of_input() {
  server_.end_of_input();
}

const Root* Session::root_of(std::string_view path) const {
  const Root* innermost = nullptr;
  for (const Root& root : roots_) {
    if (!holds(root.path, path)) continue;
    if (innermost == nullptr || root.path.size() > innermost->path.size()) innermost = &root;
  }
  return innermost;
}

const Config& Session::config_for(std::string_view path) const {
  const Root* root = root_of(path);
  return root != nullptr ? root->config : config_;
}

lsp::Response<lsp::InitializeResult> Session::initialize(const lsp::InitializeParams& params) {
  capabilities_ = params.capabilities;
  if (params.clientInfo) client_name_ = params.clientInfo->name;
  documents_.set_encoding(lsp::choose_position_encoding(capabilities_));
  initial_settings_ = params.initializationOptions.value_or(nlohmann::json());
  show_problems(services_.config_problems);
  apply_settings(nullptr);
  set_roots(params.roots());
  spdlog::info("client \"{}\" with {} folders", client_name_, roots_.size());

  lsp::InitializeResult result;
  result.serverInfo = {.name = "Kinglet", .version = kVersion};
  result.capabilities = server_capabilities(*this);
  return result;
}

void Session::initialized(const lsp::Null&) {
  is_initialized_ = true;
  show_problems(std::exchange(unshown_problems_, {}));
  features_.start();
}

Result<void> Session::did_open(const lsp::DidOpenTextDocumentParams& params) {
  TRY(documents_.open(params));
  features_.did_open(params.textDocument.uri);
  return {};
}

Result<void> Session::did_change(const lsp::DidChangeTextDocumentParams& params) {
  TRY(documents_.change(params));
  features_.did_change(params);
  return {};
}

Result<void> Session::did_save(const lsp::DidSaveTextDocumentParams& params) {
  features_.did_save(params.textDocument.uri);
  return documents_.save(params);
}

Result<void> Session::did_close(const lsp::DidCloseTextDocumentParams& params) {
  features_.did_close(params.textDocument.uri);
  return documents_.close(params);
}

void Session::did_change_configuration(const lsp::DidChangeConfigurationParams& params) {
  // Clients send either our section alone or all of their settings with ours below its name.
  const bool is_nested = params.settings.is_object() && params.settings.contains("kinglet");
  apply_settings(is_nested ? params.settings["kinglet"] : params.settings);
  std::vector<lsp::DocumentUri> uris;
  for (const Root& root : roots_)
    uris.push_back(lsp::uri_from_path(root.path));
  set_roots(uris);
  features_.start();
}

void Session::did_change_workspace_folders(const lsp::DidChangeWorkspaceFoldersParams& params) {
  std::vector<lsp::DocumentUri> uris;
  for (const Root& root : roots_) {
    const auto uri = lsp::uri_from_path(root.path);
    const auto is_it = [&](const lsp::WorkspaceFolder& folder) {
      const auto path = lsp::path_from_uri(folder.uri);
      return path && lsp::uri_from_path(*path) == uri;
    };
    if (std::ranges::none_of(params.removed, is_it)) uris.push_back(uri);
  }
  for (const auto& folder : params.added)
    uris.push_back(folder.uri);
  set_roots(uris);
  features_.start();
}

void Session::set_roots(const std::vector<lsp::DocumentUri>& uris) {
  std::vector<std::string> problems;
  roots_.clear();
  for (const auto& uri : uris) {
    auto path = lsp::path_from_uri(uri);
    if (!path) {
      problems.push_back("A folder is left out: " + path.error().message);
      continue;
    }
    *path = std::filesystem::path(*path).lexically_normal().string();
    while (path->size() > 1 && path->back() == '/')
      path->pop_back();
    std::error_code error;
    if (!std::filesystem::is_directory(*path, error)) {
      problems.push_back("The folder " + *path + " does not exist; it is left out.");
      continue;
    }
    Root root{.path = std::move(*path), .config = config_};
    for (auto& problem : apply_config_file(std::filesystem::path(root.path) / ".kinglet.json",
                                           ConfigSource::kRepository,
                                           root.config)) {
      problems.push_back(std::move(problem));
    }
    roots_.push_back(std::move(root));
  }
  show_problems(problems);
}

void Session::apply_settings(const nlohmann::json& changed) {
  config_ = services_.config;
  std::vector<std::string> problems;
  const auto apply = [&](const nlohmann::json& settings, const char* where) {
    for (auto& problem : daemon::apply_settings(settings, ConfigSource::kUser, where, config_)) {
      problems.push_back(std::move(problem));
    }
  };
  apply(initial_settings_, "the editor's initializationOptions");
  apply(changed, "the editor's settings");
  apply(flags_, "the flags of `kinglet lsp`");
  show_problems(problems);
  // The engine is everyone's: who says nothing of it leaves it as it is.
  if (concern_engine(initial_settings_) || concern_engine(changed) || concern_engine(flags_)) {
    services_.choose_engine(this, config_);
  } else {
    services_.give_back_engine(this);
  }
}

/// Before `initialized` a server may not say anything.
void Session::show_problems(const std::vector<std::string>& problems) {
  for (const auto& problem : problems) {
    spdlog::warn("configuration: {}", problem);
    if (is_initialized_) {
      client().notify("window/showMessage",
                      lsp::MessageParams{.type = lsp::MessageType::kWarning, .message = problem});
    } else {
      unshown_problems_.push_back(problem);
    }
  }
}

}  // namespace kinglet::daemon
