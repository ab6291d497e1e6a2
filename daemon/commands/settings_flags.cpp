#include "daemon/commands/settings_flags.h"

#include <filesystem>

namespace kinglet::daemon {

void SettingsFlags::add_to(CLI::App& app) {
  app.add_option(
      "--model", model_, "A GGUF file, instead of the configured model and its adapters");
  app.add_option("--backend", backend_, "What computes: auto, cpu or vulkan");
  app.add_option("--device", device_, "Part of the name of the Vulkan device to use");
  app.add_option("--log-level", log_level_, "error, warn, info or debug");
}

Result<void> SettingsFlags::check() const {
  Config unused;
  const auto wrong =
      apply_settings(as_json(), ConfigSource::kUser, "the command line's flags", unused);
  if (!wrong.empty()) return fail(ErrorCode::kInvalidArgument, wrong.front());
  return {};
}

nlohmann::json SettingsFlags::as_json() const {
  nlohmann::json settings = nlohmann::json::object();
  // The daemon's working folder is not the caller's.
  if (!model_.empty()) settings["model"] = std::filesystem::absolute(model_).string();
  if (!backend_.empty()) settings["backend"] = backend_;
  if (!device_.empty()) settings["device"] = device_;
  if (!log_level_.empty()) settings["logLevel"] = log_level_;
  return settings;
}

std::vector<std::string> SettingsFlags::as_arguments() const {
  std::vector<std::string> arguments;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
  };
  add("--model", model_.empty() ? "" : std::filesystem::absolute(model_).string());
  add("--backend", backend_);
  add("--device", device_);
  add("--log-level", log_level_);
  return arguments;
}

Result<LoadedConfig> load_config(const Paths& paths, const SettingsFlags& flags) {
  TRY(flags.check());
  LoadedConfig loaded;
  loaded.problems = apply_config_file(paths.config_file(), ConfigSource::kUser, loaded.config);
  apply_settings(flags.as_json(), ConfigSource::kUser, "the command line's flags", loaded.config);
  return loaded;
}

}  // namespace kinglet::daemon
