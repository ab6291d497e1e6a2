// What the user can set, and where from: config.json, then the client's settings, then flags. A
// repository's own .kinglet.json may only narrow: a clone must not be able to turn anything on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// A LoRA adapter put on the model.
struct AdapterSetting {
  std::string file;  // absolute path of a GGUF file
  double scale = 1;  // 1 is what it was trained for, 0 takes it off

  friend bool operator==(const AdapterSetting&, const AdapterSetting&) = default;
};

struct Config {
  bool enabled = true;      // off: no completions, no indexing
  bool completions = true;  // off: no completions and no model, but an index
  /// Definitions, references, symbols from the index: on, off, or auto: for languages that have no
  /// language server which people usually run beside us.
  std::string navigation = "auto";
  std::string model;  // path of a GGUF file; empty: the one that comes with Kinglet
  /// Their changes add up. Who names another model and no adapters has none.
  std::vector<AdapterSetting> adapters;
  std::string backend = "auto";         // auto, cpu or vulkan
  std::string device;                   // part of a Vulkan device's name; empty: the best one
  std::string kv_format = "f16";        // f32, f16, q8 or q4
  std::string activations = "int8";     // of the CPU backend: int8, or f32, which is exact
  std::uint32_t threads = 0;            // of the CPU backend; 0: as many as there are fast cores
  std::uint32_t context_tokens = 4096;  // the longest prompt
  std::uint32_t max_new_tokens = 96;    // the longest completion
  double temperature = 0;               // 0: always the likeliest token
  double top_p = 0.95;
  std::uint32_t max_file_bytes = 1 << 20;  // longer files are not indexed
  std::uint32_t max_files = 100'000;       // of one repository
  std::uint32_t parse_workers = 0;         // 0: as many as there are processors, up to 4
  /// In MiB, of each process but the engine, which takes what its model does. Of indexes that need
  /// more, parts lie in files; a worker that needs more is ended.
  std::uint32_t memory_limit = 1024;
  /// C and C++ by libclang: off, open (the units of open files alone: a second each, now and then),
  /// or all (every unit once, which may take as long as a build).
  std::string clang = "open";
  std::uint32_t idle_exit_seconds = 600;  // without clients; 0: never
  std::string log_level = "info";         // error, warn, info or debug
  std::vector<std::string> exclude;       // patterns as in .gitignore, below each root

  friend bool operator==(const Config&, const Config&) = default;
};

/// parse_workers, or what 0 means on this machine.
std::size_t n_parse_workers(const Config& config);

/// What config.json says, and what is wrong with it, for people.
struct LoadedConfig {
  Config config;
  std::vector<std::string> problems;
};

/// Who says it decides what may be said.
enum class ConfigSource : std::uint8_t {
  kUser,        // config.json, the client's settings, flags: everything
  kRepository,  // .kinglet.json: may disable, exclude and lower limits
};

/// Applies what `text` (a JSON object) says to `config`. What is wrong is left out, and each such
/// thing gives one message that names the key, `where` (a file, or "the client's settings") and
/// what is expected. Returns the messages; none: all is well.
std::vector<std::string> apply_config(std::string_view text,
                                      ConfigSource source,
                                      std::string_view where,
                                      Config& config);

/// The same for settings that are JSON already (a client's). Null says nothing.
std::vector<std::string> apply_settings(const nlohmann::json& settings,
                                        ConfigSource source,
                                        std::string_view where,
                                        Config& config);

/// The same for a file; one that is not there says nothing. Reads regular files of up to 1 MiB.
std::vector<std::string> apply_config_file(const std::filesystem::path& file,
                                           ConfigSource source,
                                           Config& config);

/// Whether settings (any JSON) say what the engine loads, or how: the one engine is all sessions'.
bool concern_engine(const nlohmann::json& settings);

/// The configuration as JSON text, for `kinglet doctor`.
std::string describe_config(const Config& config);

/// The model to load: config.model, else share/kinglet/models/kinglet-starter.gguf.
/// Errors: kNotFound naming every place looked at and how to get a model.
Result<std::filesystem::path> find_model(const Config& config);

}  // namespace kinglet::daemon
