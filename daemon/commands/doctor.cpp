// `kinglet doctor`: one function per thing that can be wrong.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/adapters.h"
#include "daemon/commands/settings_flags.h"
#include "daemon/commands/verbs.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "daemon/processes/daemon_connection.h"
#include "daemon/processes/spawn.h"
#include "daemon/version.h"
#include "indexer/clang/library.h"
#include "inference/backend.h"
#include "inference/model.h"
#include "lsp/json.h"

namespace kinglet::daemon {

namespace {

using nlohmann::json;

enum class Level : std::uint8_t { kOk, kNote, kProblem };

struct Finding {
  Level level;
  std::string subject;
  std::string text;  // of a problem: what, where, and the way out
};
using Findings = std::vector<Finding>;

/// A finding from a Result: its value's description, or its error.
template <class T, class Describe>
Finding from_result(std::string subject, const Result<T>& result, Describe describe) {
  if (!result) return {Level::kProblem, std::move(subject), result.error().message};
  return {Level::kOk, std::move(subject), describe(*result)};
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 19)) >> 20) + " MiB";
}

// ---- checks

Findings check_folders(const Paths& paths) {
  if (auto made = make_folders(paths); !made) {
    return {{Level::kProblem, "folders", made.error().message}};
  }
  return {{Level::kOk, "runtime", paths.runtime.string()},
          {Level::kOk, "cache", paths.cache.string()},
          {Level::kOk, "logs", paths.state.string()}};
}

Findings check_config(const Paths& paths, Config& config) {
  std::error_code error;
  const std::string file = paths.config_file().string();
  if (!std::filesystem::exists(file, error)) {
    return {{Level::kOk, "config", file + " (not there: defaults)"}};
  }
  Findings findings;
  for (auto& problem : apply_config_file(file, ConfigSource::kUser, config)) {
    findings.push_back({Level::kProblem, "config", std::move(problem)});
  }
  if (findings.empty()) findings.push_back({Level::kOk, "config", file});
  return findings;
}

Findings check_model(const Config& config) {
  const auto file = find_model(config);
  if (!file) return {{Level::kProblem, "model", file.error().message}};
  const auto model = inference::Model::load(*file);
  Findings findings = {from_result("model", model, [&](const auto& loaded) {
    std::error_code error;
    return loaded->name() + " (" + std::string(loaded->architecture().name) + ", " +
           mebibytes(std::filesystem::file_size(*file, error)) + "), " + file->string();
  })};
  if (!model) return findings;
  for (const AdapterSetting& adapter : config.adapters) {
    findings.push_back(
        from_result("adapter", load_adapter(adapter.file, **model), [&](const auto& lora) {
          char scale[32];
          std::snprintf(scale, sizeof scale, "%g", adapter.scale);
          return std::string(lora->name()) + ", scale " + scale;
        }));
  }
  return findings;
}

/// What this process alone finds of devices; drivers may end it.
json probe_devices() {
  json backends = json::array();
  for (const auto& backend : inference::all_backends()) {
    json entry = {{"backend", backend.name}, {"devices", json::array()}};
    const auto devices = backend.devices();
    if (!devices) entry["problem"] = devices.error().message;
    for (const auto& device : devices.value_or(std::vector<inference::DeviceInfo>())) {
      entry["devices"].push_back(
          {{"name", device.name},
           {"driver", device.driver},
           {"memoryBytes", device.memory_bytes},
           {"software", device.kind == inference::DeviceKind::kSoftwareGpu}});
    }
    backends.push_back(std::move(entry));
  }
  return backends;
}

/// Runs probe_devices() in a process of its own.
Result<json> probe_devices_apart() {
  auto [ours, theirs] = TRY(make_socket_pair());
  SpawnOptions options;
  options.arguments = {"doctor", "--probe-devices"};
  options.inherited_fd = theirs.get();
  options.error_file = "/dev/null";
  auto process = TRY(Process::spawn(options));
  theirs.reset();
  const std::string text = TRY(read_to_end(ours));
  const int status = process.wait();
  auto devices = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (status != 0 || devices.is_discarded()) {
    return fail(ErrorCode::kDeviceLost,
                "Asking the graphics drivers for their devices " + describe_exit(status) +
                    ". Update the driver, or set \"backend\": \"cpu\" in config.json.");
  }
  return devices;
}

/// Whether the configured device, part of a name or a number from 0, is among those that were
/// found.
bool is_there(const std::string& wish, const json& backends) {
  const auto is_same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  const auto is_in = [&](const std::string& name) {
    return std::search(name.begin(), name.end(), wish.begin(), wish.end(), is_same) != name.end();
  };
  for (const auto& backend : backends) {
    if (backend["backend"] != "vulkan") continue;
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(wish.data(), wish.data() + wish.size(), n);
    const bool is_number = error == std::errc() && end == wish.data() + wish.size();
    if (is_number) return n < backend["devices"].size();
    for (const auto& device : backend["devices"]) {
      if (is_in(device["name"]) || is_in(device["driver"])) return true;
    }
  }
  return false;
}

Findings check_devices(const Config& config) {
  const auto backends = probe_devices_apart();
  if (!backends) return {{Level::kProblem, "devices", backends.error().message}};
  Findings findings;
  for (const auto& entry : *backends) {
    const std::string backend = entry["backend"];
    for (const auto& device : entry["devices"]) {
      std::string text =
          device["name"].get<std::string>() + " (" + device["driver"].get<std::string>() + ")";
      if (device["memoryBytes"] != 0) text += ", " + mebibytes(device["memoryBytes"]);
      if (device["software"] == true) text += "; a software driver, used only when asked for";
      findings.push_back({Level::kOk, backend, std::move(text)});
    }
    if (entry.contains("problem")) {
      // The CPU serves instead, unless the user insists.
      const bool is_needed = config.backend == backend;
      findings.push_back({is_needed ? Level::kProblem : Level::kNote, backend, entry["problem"]});
    } else if (entry["devices"].empty()) {
      findings.push_back({config.backend == backend ? Level::kProblem : Level::kNote,
                          backend,
                          "No device. Install a driver for your GPU (mesa-vulkan-drivers on "
                          "Debian), or leave \"backend\" on \"auto\": the CPU computes then."});
    }
  }
  if (config.backend != "cpu" && !config.device.empty() && !is_there(config.device, *backends)) {
    findings.push_back({config.backend == "vulkan" ? Level::kProblem : Level::kNote,
                        "device",
                        "No Vulkan device is called \"" + config.device +
                            "\". Set \"device\" in config.json to part of a name above, or leave "
                            "it out."});
  }
  return findings;
}

/// Semantics of C and C++ are an extra: without them nothing is broken.
Findings check_clang(const Config& config) {
  if (config.clang == "off") {
    return {{Level::kOk, "clang", "\"clang\" is \"off\": C and C++ by their syntax alone"}};
  }
  const auto library = indexer::clang::Library::load();
  if (!library) return {{Level::kNote, "clang", library.error().message}};
  if ((*library)->resource_folder().empty()) {
    return {{Level::kNote,
             "clang",
             (*library)->version() + " is here, but not its own headers (stddef.h). apt install " +
                 indexer::clang::kPackages + " brings both."}};
  }
  const std::string scope = config.clang == "all"
                                ? "for all C and C++ with a compile command (\"clang\": \"all\")"
                                : "for C and C++ files while they are open (\"clang\": \"open\")";
  return {{Level::kOk, "clang", (*library)->version() + ", " + scope}};
}

Findings check_daemon(const Paths& paths) {
  auto daemon = connect_to_daemon(paths, {.version = kVersion, .purpose = Purpose::kStatus});
  if (!daemon && daemon.error().code == ErrorCode::kUnavailable) {
    return {{Level::kOk, "daemon", "not running; an editor starts it"}};
  }
  if (!daemon) return {{Level::kProblem, "daemon", daemon.error().message}};
  Findings findings;
  findings.push_back(
      {Level::kOk,
       "daemon",
       "runs, process " + std::to_string(daemon->pid) + ", version " + daemon->welcome.version});
  if (daemon->welcome.version != kVersion) {
    findings.push_back({Level::kNote,
                        "daemon",
                        "It is not of this program's version (" + std::string(kVersion) +
                            "). `kinglet stop` ends it; editors start the new one."});
  }
  const auto status =
      json::parse(read_to_end(daemon->socket).value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!status.is_discarded() && status["engine"]["state"] == "failed") {
    findings.push_back({Level::kProblem, "engine", status["engine"]["problem"]});
  }
  return findings;
}

// ---- the table

void print(const Finding& finding) {
  static constexpr std::array kLevels = {"ok", "note", "PROBLEM"};
  std::printf("%-8s %-8s %s\n",
              kLevels[static_cast<std::size_t>(finding.level)],
              finding.subject.c_str(),
              finding.text.c_str());
}

Result<int> run(const SettingsFlags& flags) {
  const auto paths = TRY(find_paths());
  Config config;
  int n_problems = 0;
  const auto report = [&](const Findings& findings) {
    for (const auto& finding : findings) {
      print(finding);
      if (finding.level == Level::kProblem) ++n_problems;
    }
  };
  const auto program = program_path();
  report({from_result("program", program, [](const auto& path) {
    return path.string() + ", version " + kVersion;
  })});
  report(check_config(paths, config));
  for (const auto& wrong :
       apply_settings(flags.as_json(), ConfigSource::kUser, "the command line", config)) {
    report({{Level::kProblem, "flags", wrong}});
  }
  report(check_folders(paths));
  report(check_model(config));
  report(check_devices(config));
  report(check_clang(config));
  report(check_daemon(paths));
  if (n_problems > 0) {
    std::printf("\n%d thing%s to mend.\n", n_problems, n_problems == 1 ? "" : "s");
  } else {
    std::puts("\nAll is well.");
  }
  return n_problems > 0 ? 1 : 0;
}

Result<int> answer_probe() {
  const auto socket = TRY(inherited_socket());
  const std::string text = lsp::to_text(probe_devices());
  return ::write(socket.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                              : 1;
}

}  // namespace

Action doctor_command(CLI::App& app) {
  auto flags = std::make_shared<SettingsFlags>();
  auto is_probe = std::make_shared<bool>(false);
  flags->add_to(app);
  app.add_flag("--probe-devices", *is_probe)->group("");
  return [flags, is_probe] { return *is_probe ? answer_probe() : run(*flags); };
}

}  // namespace kinglet::daemon
