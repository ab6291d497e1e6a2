// `kinglet models list`: the files in Kinglet's own folder and beside the configured one.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "daemon/commands/models.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "inference/gguf.h"
#include "inference/gguf_format.h"

namespace kinglet::daemon {

namespace {

namespace fs = std::filesystem;

/// What a file says it is, or why it cannot be read.
std::string describe(const fs::path& file) {
  const auto gguf = inference::Gguf::open(file);
  if (!gguf) return "cannot be read: `kinglet models show` says why";
  const auto text = [&](std::string_view key) {
    const auto value = gguf->get<std::string_view>(key);
    return value ? inference::printable(value->value_or("?")) : std::string("?");
  };
  char size[32];
  std::snprintf(size, sizeof size, "%.2f GB", static_cast<double>(gguf->n_bytes()) * 1e-9);
  return text("general.name") + " (" + text("general.architecture") + ", " + size + ")";
}

Result<int> run() {
  const auto paths = TRY(find_paths());
  Config config;
  for (const auto& problem : apply_config_file(paths.config_file(), ConfigSource::kUser, config))
    std::fprintf(stderr, "kinglet: %s\n", problem.c_str());
  std::set<fs::path> folders = {TRY(share_folder()) / "models"};
  if (!config.model.empty()) folders.insert(fs::path(config.model).parent_path());
  const auto in_use = find_model(config);

  int n_found = 0;
  for (const fs::path& folder : folders) {
    std::error_code error;
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".gguf" && entry.is_regular_file(error))
        files.insert(entry.path());
    }
    for (const fs::path& file : files) {
      ++n_found;
      const bool is_in_use = in_use && fs::equivalent(*in_use, file, error);
      std::printf("%s %s\n  %s\n", is_in_use ? "*" : " ", file.c_str(), describe(file).c_str());
    }
  }
  if (!in_use) return tl::unexpected(in_use.error());
  if (n_found > 0)
    std::puts("\n* is the one that is used; \"model\" in config.json names another.");
  return 0;
}

}  // namespace

Action models_list(CLI::App& /*app*/) {
  return run;
}

}  // namespace kinglet::daemon
