// `kinglet status`
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/commands/verbs.h"
#include "daemon/paths.h"
#include "daemon/process_memory.h"
#include "daemon/processes/daemon_connection.h"
#include "daemon/version.h"

namespace kinglet::daemon {

namespace {

using nlohmann::json;

/// Resident memory of a process in KiB; 0 when it is gone.
std::uint64_t resident_kib(std::int64_t pid) {
  return memory_of(static_cast<pid_t>(pid)).resident / 1024;
}

void print_process(const char* what, std::int64_t pid, const std::string& doing) {
  std::printf("  %-14s pid %-8lld %6.1f MiB  %s\n",
              what,
              static_cast<long long>(pid),
              static_cast<double>(resident_kib(pid)) / 1024,
              doing.c_str());
}

std::string describe_engine(const json& engine) {
  std::string text = engine["state"];
  if (text == "loading") {
    text +=
        " " + std::to_string(static_cast<int>(100 * engine["loadFraction"].get<double>())) + "%";
  }
  if (engine["restarts"] != 0) text += ", restarted " + engine["restarts"].dump() + " times";
  return text;
}

void print_status(const json& status) {
  std::printf("Kinglet %s, up %s s\n",
              status["version"].get<std::string>().c_str(),
              status["uptimeSeconds"].dump().c_str());
  const auto& engine = status["engine"];
  print_process("daemon", status["pid"], std::to_string(status["clients"].size()) + " clients");
  if (engine["pid"].get<std::int64_t>() > 0) {
    print_process("engine", engine["pid"], describe_engine(engine));
  } else {
    std::printf("  %-14s %s\n", "engine", describe_engine(engine).c_str());
  }
  for (const auto& pid : status["parseWorkers"]["pids"])
    print_process("parse worker", pid, "");
  if (const std::string problem = engine["problem"]; !problem.empty()) {
    std::printf("  problem: %s\n", problem.c_str());
  }
  if (status.contains("model")) {
    const auto& model = status["model"];
    std::printf("  model: %s (%s) on %s (%s), context of %s tokens\n",
                model["name"].get<std::string>().c_str(),
                model["architecture"].get<std::string>().c_str(),
                model["device"].get<std::string>().c_str(),
                model["backend"].get<std::string>().c_str(),
                model["contextTokens"].dump().c_str());
    for (const auto& adapter : model["adapters"]) {
      std::printf("  adapter: %s, scale %s\n",
                  adapter["file"].get<std::string>().c_str(),
                  adapter["scale"].dump().c_str());
    }
  }
  for (const auto& client : status["clients"]) {
    std::printf("  client: %s\n", client["name"].get<std::string>().c_str());
    for (const auto& root : client["roots"]) {
      std::printf("    %s\n", root.get<std::string>().c_str());
    }
  }
}

/// A status with the memory of each process, for scripts.
json with_memory(json status) {
  status["residentKib"] = {{"daemon", resident_kib(status["pid"])},
                           {"engine", resident_kib(status["engine"]["pid"])}};
  for (const auto& pid : status["parseWorkers"]["pids"]) {
    status["residentKib"]["parseWorkers"].push_back(resident_kib(pid));
  }
  return status;
}

Result<int> run(bool as_json) {
  const auto paths = TRY(find_paths());
  auto daemon = connect_to_daemon(paths, {.version = kVersion, .purpose = Purpose::kStatus});
  if (!daemon && daemon.error().code == ErrorCode::kUnavailable) {
    std::puts(as_json ? "null" : "No daemon is running. An editor starts it (`kinglet lsp`).");
    return 1;
  }
  if (!daemon) return tl::unexpected(daemon.error());
  const std::string text = TRY(read_to_end(daemon->socket));
  const auto status = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (status.is_discarded()) {
    return fail(ErrorCode::kCorrupt, "The daemon's answer is cut off. Try again.");
  }
  if (as_json) {
    std::puts(with_memory(status).dump(2).c_str());
  } else {
    print_status(status);
  }
  return 0;
}

}  // namespace

Action status_command(CLI::App& app) {
  auto as_json = std::make_shared<bool>(false);
  app.add_flag("--json", *as_json, "As JSON");
  return [as_json] { return run(*as_json); };
}

}  // namespace kinglet::daemon
