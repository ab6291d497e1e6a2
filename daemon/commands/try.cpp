// `kinglet try`: everything between a repository and grey text, once, for people to look at. It is
// an LSP client of a session of its own, so what it shows is what an editor gets.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "daemon/commands/command.h"
#include "daemon/commands/demo_site.h"
#include "daemon/commands/screen.h"
#include "daemon/commands/verbs.h"
#include "daemon/lsp_client.h"
#include "daemon/version.h"
#include "lsp/uri.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

struct TryOptions {
  std::string repository = ".";
  std::string at;
  std::uint32_t seed = 1;
  std::string model;
  std::string backend;
};

std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) * 1e-6);
  return text;
}

std::string number(double value, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

void show_status(const Screen& screen, const Json& status) {
  if (!status.contains("model")) {
    screen.row("model", "none: " + status["engine"].value("problem", ""));
    return;
  }
  const Json& model = status["model"];
  screen.row(
      "device",
      model.value("device", "?") + " (" + model.value("backend", "?") + ", driver " +
          model.value("driver", "?") +
          (model.value("onSoftwareGpu", false) ? "; a software driver: short prompts)" : ")"));
  screen.row("model",
             model.value("name", "?") + " (" + model.value("architecture", "?") + ", " +
                 megabytes(model.value("modelBytes", std::uint64_t{0})) + ", context of " +
                 std::to_string(model.value("contextTokens", 0)) + " tokens)");
  for (const Json& repository : status["repositories"]) {
    std::string left_out;
    for (const auto& [reason, count] : repository["leftOut"].items()) {
      left_out += (left_out.empty() ? "; left out: " : ", ") + count.dump() + " " + reason;
    }
    screen.row("repository",
               repository.value("root", "?") + ": " + std::to_string(repository.value("files", 0)) +
                   " files, " + std::to_string(repository.value("definitions", 0)) +
                   " symbols indexed in " + number(repository.value("seconds", 0.0), 1) + " s" +
                   left_out);
  }
}

void show_context(const Screen& screen, const Json& context) {
  screen.row("prompt",
             std::to_string(context.value("tokens", 0)) + " of " +
                 std::to_string(context.value("budget", 0)) + " tokens, format " +
                 context.value("format", "?") + ", packed in " +
                 number(1e3 * context.value("seconds", 0.0), 1) + " ms");
  for (const Json& part : context["parts"]) {
    std::string where = part.value("path", "");
    if (!part["line"].is_null()) where += ":" + part["line"].dump();
    if (!where.empty()) where += "  ";
    std::printf("             %6d  %-9s  %s(%s)\n",
                part.value("tokens", 0),
                part.value("reason", "?").c_str(),
                where.c_str(),
                part.value("detail", "").c_str());
  }
}

std::string_view last_lines(std::string_view text, int n) {
  std::size_t begin = text.size();
  for (int i = 0; i < n && begin > 0; ++i) {
    const std::size_t end = text.rfind('\n', begin - 1);
    if (end == std::string_view::npos) return text;
    begin = end;
  }
  return begin < text.size() && text[begin] == '\n' ? text.substr(begin + 1) : text;
}

Result<int> run(const TryOptions& options) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(options.repository, error);
  if (error || !std::filesystem::is_directory(root)) {
    return fail(ErrorCode::kNotFound,
                "no such folder: " + options.repository + "; give the folder of a repository");
  }
  const DemoSite site = options.at.empty() ? TRY(choose_demo_site(root, options.seed))
                                           : TRY(demo_site_at(root, options.at));
  const Screen screen;
  std::printf("%sKinglet %s%s\n", screen.bold(), kVersion, screen.plain());

  std::vector<std::string> arguments = {"lsp", "--standalone"};
  if (!options.model.empty()) arguments.insert(arguments.end(), {"--model", options.model});
  if (!options.backend.empty()) arguments.insert(arguments.end(), {"--backend", options.backend});
  LspClient server = TRY(LspClient::start(std::move(arguments)));

  ProgressBar bar(screen);
  std::string shown;
  server.on_notification([&](const std::string& method, const Json& params) {
    if (method != "$/progress") return;
    const Json& value = params["value"];
    if (value.contains("insertText")) {
      // The text only grows: print what is new.
      const std::string now = value.value("insertText", "");
      std::fputs(now.substr(std::min(shown.size(), now.size())).c_str(), stdout);
      std::fflush(stdout);
      shown = now;
    } else {
      bar.update(value);
    }
  });

  TRY(server.request("initialize",
                     {{"processId", ::getpid()},
                      {"clientInfo", {{"name", "kinglet try"}, {"version", kVersion}}},
                      {"rootUri", lsp::uri_from_path(root.string())},
                      {"capabilities",
                       {{"general", {{"positionEncodings", {"utf-8"}}}},
                        {"window", {{"workDoneProgress", true}}},
                        {"textDocument", {{"inlineCompletion", Json::object()}}},
                        {"experimental", {{"kinglet", {{"inlineStream", true}}}}}}}}));
  TRY(server.notify("initialized", Json::object()));
  const std::string uri = lsp::uri_from_path((root / site.path).string());
  TRY(server.notify("textDocument/didOpen",
                    {{"textDocument",
                      {{"uri", uri},
                       {"languageId", "plaintext"},
                       {"version", 1},
                       {"text", site.before + site.after}}}}));
  const Json status = TRY(server.request("kinglet/ready", Json::object()));
  if (status["repositories"].empty()) {
    return fail(ErrorCode::kUnavailable,
                "completions are turned off here: \"enabled\" is false in config.json or in the "
                "repository's own .kinglet.json");
  }
  show_status(screen, status);
  const Json place = {{"textDocument", {{"uri", uri}}},
                      {"position", {{"line", site.line}, {"character", site.column}}}};
  show_context(screen, TRY(server.request("kinglet/context", place)));

  std::printf("\n%s%s:%u:%u%s\n%s%s",
              screen.bold(),
              site.path.c_str(),
              site.line + 1,
              site.column + 1,
              screen.plain(),
              std::string(last_lines(site.before, 6)).c_str(),
              screen.grey());
  std::fflush(stdout);
  Json request = place;
  request["context"] = {{"triggerKind", 1}};
  request["partialResultToken"] = "try";
  TRY(server.request("textDocument/inlineCompletion", request));
  std::printf("%s%s\n", shown.empty() ? "(no completion)" : "", screen.plain());
  if (!site.was_there.empty()) screen.row("the file has", site.was_there);

  const Json last = TRY(server.request("kinglet/status", Json::object()))["lastCompletion"];
  if (last.is_object()) {
    screen.row("first token",
               number(1e3 * last.value("firstTokenSeconds", 0.0), 0) + " ms after the key, " +
                   std::to_string(last.value("promptTokens", 0)) + " prompt tokens");
    screen.row("completion",
               std::to_string(last.value("generatedTokens", 0)) + " tokens at " +
                   number(last.value("tokensPerSecond", 0.0), 1) + " tokens/s");
  }
  TRY(server.request("shutdown", nullptr));
  TRY(server.notify("exit", nullptr));
  return 0;
}

}  // namespace

Action try_command(CLI::App& app) {
  auto options = std::make_shared<TryOptions>();
  app.add_option("repository", options->repository, "Folder of the repository")
      ->capture_default_str();
  app.add_option("--at", options->at, "Where to complete: FILE:LINE:COLUMN, counted from 1");
  app.add_option("--seed", options->seed, "Chooses another place")->capture_default_str();
  app.add_option("--model", options->model, "GGUF file of the model");
  app.add_option("--backend", options->backend, "auto, cpu or vulkan");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
