// Flags that are settings: what config.json can say, said on the command line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "daemon/base/result.h"
#include "daemon/config.h"
#include "daemon/paths.h"

namespace kinglet::daemon {

class SettingsFlags {
 public:
  /// Adds --model, --backend, --device and --log-level to a verb.
  void add_to(CLI::App& app);

  /// Errors: kInvalidArgument when a flag's value is wrong.
  Result<void> check() const;
  /// What was given, as settings; paths are made absolute.
  nlohmann::json as_json() const;
  /// What was given, as arguments for another process.
  std::vector<std::string> as_arguments() const;

 private:
  std::string model_;
  std::string backend_;
  std::string device_;
  std::string log_level_;
};

/// config.json, then the flags. What is wrong in the file is a problem and left out; a wrong flag
/// is an error (kInvalidArgument).
Result<LoadedConfig> load_config(const Paths& paths, const SettingsFlags& flags);

}  // namespace kinglet::daemon
