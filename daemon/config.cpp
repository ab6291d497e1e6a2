#include "daemon/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/base/unique_fd.h"
#include "daemon/paths.h"

namespace kinglet::daemon {

namespace {

using nlohmann::json;

/// What a row says of a value: taken, or why not.
enum class Verdict : std::uint8_t { kTaken, kWrong, kWidens };

/// One key: how a value is read, and how a repository may use it.
struct Row {
  const char* key;
  std::string expected;
  std::function<Verdict(const json&, ConfigSource, Config&)> apply;
  std::function<json(const Config&)> get;
};

Row text(const char* key, std::string expected, std::string Config::*field) {
  return {key,
          std::move(expected),
          [field](const json& value, ConfigSource source, Config& config) {
            if (!value.is_string()) return Verdict::kWrong;
            if (source == ConfigSource::kRepository) return Verdict::kWidens;
            config.*field = value.get<std::string>();
            return Verdict::kTaken;
          },
          [field](const Config& config) -> json { return config.*field; }};
}

Row one_of(const char* key, std::vector<std::string> choices, std::string Config::*field) {
  std::string expected = "one of";
  for (const auto& choice : choices)
    expected += " \"" + choice + "\"";
  return {key,
          std::move(expected),
          [field, choices = std::move(choices)](
              const json& value, ConfigSource source, Config& config) {
            if (!value.is_string()) return Verdict::kWrong;
            for (const auto& choice : choices) {
              if (value != choice) continue;
              if (source == ConfigSource::kRepository) return Verdict::kWidens;
              config.*field = choice;
              return Verdict::kTaken;
            }
            return Verdict::kWrong;
          },
          [field](const Config& config) -> json { return config.*field; }};
}

/// Whether a repository may say a smaller number.
enum class Narrowing : std::uint8_t { kNever, kLower };

Row number(const char* key,
           std::uint32_t least,
           std::uint32_t most,
           Narrowing narrowing,
           std::uint32_t Config::*field) {
  return {key,
          "a whole number from " + std::to_string(least) + " to " + std::to_string(most),
          [=](const json& value, ConfigSource source, Config& config) {
            if (!value.is_number_integer()) return Verdict::kWrong;
            if (!value.is_number_unsigned() && value.get<std::int64_t>() < 0) {
              return Verdict::kWrong;
            }
            const auto wished = value.get<std::uint64_t>();
            if (wished < least || wished > most) return Verdict::kWrong;
            if (source == ConfigSource::kRepository &&
                (narrowing == Narrowing::kNever || wished > config.*field)) {
              return Verdict::kWidens;
            }
            config.*field = static_cast<std::uint32_t>(wished);
            return Verdict::kTaken;
          },
          [field](const Config& config) -> json { return config.*field; }};
}

Row fraction(const char* key, double least, double most, double Config::*field) {
  char expected[64];
  std::snprintf(expected, sizeof expected, "a number from %g to %g", least, most);
  return {key,
          expected,
          [=](const json& value, ConfigSource source, Config& config) {
            if (!value.is_number()) return Verdict::kWrong;
            const auto wished = value.get<double>();
            if (!(wished >= least && wished <= most)) return Verdict::kWrong;
            if (source == ConfigSource::kRepository) return Verdict::kWidens;
            config.*field = wished;
            return Verdict::kTaken;
          },
          [field](const Config& config) -> json { return config.*field; }};
}

/// A repository may turn it off.
Row flag(const char* key, bool Config::*field) {
  return {key,
          "true or false",
          [field](const json& value, ConfigSource source, Config& config) {
            if (!value.is_boolean()) return Verdict::kWrong;
            if (source == ConfigSource::kRepository && value.get<bool>() && !(config.*field)) {
              return Verdict::kWidens;
            }
            config.*field = value.get<bool>();
            return Verdict::kTaken;
          },
          [field](const Config& config) -> json { return config.*field; }};
}

Verdict apply_navigation(const json& value, ConfigSource source, Config& config) {
  if (value != "auto" && value != "on" && value != "off") return Verdict::kWrong;
  if (source == ConfigSource::kRepository && value != "off" && value != config.navigation) {
    return Verdict::kWidens;
  }
  config.navigation = value.get<std::string>();
  return Verdict::kTaken;
}

/// A repository may say less.
Verdict apply_clang(const json& value, ConfigSource source, Config& config) {
  static constexpr std::array kLessAndLess = {"all", "open", "off"};
  const auto wished = std::ranges::find_if(kLessAndLess, [&](auto word) { return value == word; });
  if (wished == kLessAndLess.end()) return Verdict::kWrong;
  const auto has =
      std::ranges::find_if(kLessAndLess, [&](auto word) { return config.clang == word; });
  if (source == ConfigSource::kRepository && wished < has) return Verdict::kWidens;
  config.clang = *wished;
  return Verdict::kTaken;
}

/// Patterns add up: no source can bring back what another left out.
Verdict apply_exclude(const json& value, ConfigSource, Config& config) {
  if (!value.is_array()) return Verdict::kWrong;
  for (const auto& pattern : value) {
    if (!pattern.is_string()) return Verdict::kWrong;
  }
  for (const auto& pattern : value)
    config.exclude.push_back(pattern.get<std::string>());
  return Verdict::kTaken;
}

constexpr std::size_t kMaxAdapters = 16;
constexpr double kMaxAdapterScale = 1000;  // as Executor::set_adapters() takes it

std::optional<AdapterSetting> read_adapter(const json& value) {
  if (!value.is_object()) return std::nullopt;
  AdapterSetting adapter;
  for (const auto& [key, field] : value.items()) {
    if (key == "file" && field.is_string()) {
      adapter.file = field.get<std::string>();
    } else if (key == "scale" && field.is_number()) {
      adapter.scale = field.get<double>();
    } else {
      return std::nullopt;
    }
  }
  // The daemon's folder is nobody's.
  const bool is_good = std::filesystem::path(adapter.file).is_absolute() &&
                       std::fabs(adapter.scale) <= kMaxAdapterScale;
  return is_good ? std::optional(std::move(adapter)) : std::nullopt;
}

Verdict apply_adapters(const json& value, ConfigSource source, Config& config) {
  if (!value.is_array() || value.size() > kMaxAdapters) return Verdict::kWrong;
  std::vector<AdapterSetting> adapters;
  for (const auto& entry : value) {
    auto adapter = read_adapter(entry);
    if (!adapter) return Verdict::kWrong;
    adapters.push_back(*std::move(adapter));
  }
  if (source == ConfigSource::kRepository) return Verdict::kWidens;
  config.adapters = std::move(adapters);
  return Verdict::kTaken;
}

json adapters_of(const Config& config) {
  json adapters = json::array();
  for (const AdapterSetting& adapter : config.adapters)
    adapters.push_back({{"file", adapter.file}, {"scale", adapter.scale}});
  return adapters;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      text("model", "the path of a GGUF file as a string", &Config::model),
      {"adapters",
       "a list of up to 16 adapters such as {\"file\": \"/whole/path.gguf\", \"scale\": 0.8}, "
       "scales from -1000 to 1000",
       apply_adapters,
       adapters_of},
      one_of("backend", {"auto", "cpu", "vulkan"}, &Config::backend),
      text("device", "part of a Vulkan device's name as a string", &Config::device),
      one_of("kvFormat", {"f16", "f32", "q8", "q4"}, &Config::kv_format),
      one_of("activations", {"int8", "f32"}, &Config::activations),
      number("threads", 0, 256, Narrowing::kNever, &Config::threads),
      number("contextTokens", 256, 131'072, Narrowing::kLower, &Config::context_tokens),
      number("maxNewTokens", 1, 4096, Narrowing::kLower, &Config::max_new_tokens),
      fraction("temperature", 0, 2, &Config::temperature),
      fraction("topP", 0.01, 1, &Config::top_p),
      number("maxFileBytes", 1, 4 << 20, Narrowing::kLower, &Config::max_file_bytes),
      number("maxFiles", 1, 1'000'000, Narrowing::kLower, &Config::max_files),
      number("parseWorkers", 0, 64, Narrowing::kNever, &Config::parse_workers),
      number("memoryLimit", 128, 1 << 20, Narrowing::kNever, &Config::memory_limit),
      {"clang",
       "one of \"all\" \"open\" \"off\"",
       apply_clang,
       [](const Config& config) -> json { return config.clang; }},
      number("idleExitSeconds", 0, 604'800, Narrowing::kNever, &Config::idle_exit_seconds),
      one_of("logLevel", {"error", "warn", "info", "debug"}, &Config::log_level),
      flag("enabled", &Config::enabled),
      flag("completions", &Config::completions),
      {"navigation",
       "one of \"auto\" \"on\" \"off\"",
       apply_navigation,
       [](const Config& config) -> json { return config.navigation; }},
      {"exclude",
       "a list of strings, patterns as in .gitignore",
       apply_exclude,
       [](const Config& config) -> json { return config.exclude; }},
  };
  return kRows;
}

const Row* find_row(const std::string& key) {
  for (const auto& row : rows()) {
    if (key == row.key) return &row;
  }
  return nullptr;
}

std::string known_keys() {
  std::string keys;
  for (const auto& row : rows())
    keys += (keys.empty() ? "" : ", ") + std::string(row.key);
  return keys;
}

/// A regular file's text; std::nullopt when there is none. Opened without blocking, so that a FIFO
/// of that name in a repository cannot hang the daemon.
Result<std::optional<std::string>> read_small_file(const std::filesystem::path& file) {
  constexpr off_t kMaxBytes = 1 << 20;
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::kIo,
                "Cannot read " + file.string() + ": " + std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode) || status.st_size > kMaxBytes) {
    return fail(ErrorCode::kInvalidArgument,
                file.string() + " is not a regular file of up to 1 MiB; it is left out.");
  }
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t n_read = 0;
  while (n_read < content.size()) {
    const ssize_t n = ::read(fd.get(), content.data() + n_read, content.size() - n_read);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    n_read += static_cast<std::size_t>(n);
  }
  content.resize(n_read);
  return content;
}

/// So many problems of one source are told one by one: each is a message in somebody's editor, and
/// a repository's file may hold anything.
constexpr std::size_t kMaxProblems = 10;

/// Text of a configuration as a message shows it.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMaxBytes = 80;
  if (text.size() <= kMaxBytes) return text;
  std::size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "…";
}

/// JSON text that nests deeper than this is refused before nlohmann's recursion sees it.
bool nests_too_deep(std::string_view text) {
  constexpr int kMaxDepth = 32;
  int depth = 0;
  for (const char c : text) {
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > kMaxDepth) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> apply_settings(const json& settings,
                                        ConfigSource source,
                                        std::string_view where,
                                        Config& config) {
  const std::string in = " in " + std::string(where);
  if (settings.is_null()) return {};
  if (!settings.is_object()) {
    return {"A JSON object is expected" + in + ", not " + settings.type_name() + "."};
  }
  // Adapters are of a model: those of another source do not follow to the one that is named here.
  if (source == ConfigSource::kUser && settings.contains("model") &&
      settings["model"].is_string() && settings["model"] != config.model) {
    config.adapters.clear();
  }
  std::vector<std::string> problems;
  for (const auto& [key, value] : settings.items()) {
    const Row* row = find_row(key);
    if (row == nullptr) {
      problems.push_back("Unknown key \"" + shortened(key) + "\"" + in +
                         ". Known keys: " + known_keys() + ".");
      continue;
    }
    switch (row->apply(value, source, config)) {
      case Verdict::kTaken:
        break;
      case Verdict::kWrong:
        problems.push_back("\"" + key + "\"" + in + " must be " + row->expected + ", not " +
                           shortened(value.dump(-1, ' ', false, json::error_handler_t::replace)) +
                           ".");
        break;
      case Verdict::kWidens:
        problems.push_back("\"" + key + "\"" + in +
                           " is left out: a repository may only narrow (disable, exclude, lower "
                           "limits). Set it in your own config.json.");
        break;
    }
  }
  if (problems.size() > kMaxProblems) {
    const std::size_t n_more = problems.size() - kMaxProblems;
    problems.resize(kMaxProblems);
    problems.push_back("And " + std::to_string(n_more) + " more problems" + in + ".");
  }
  return problems;
}

std::size_t n_parse_workers(const Config& config) {
  if (config.parse_workers != 0) return config.parse_workers;
  return std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
}

std::vector<std::string> apply_config(std::string_view text,
                                      ConfigSource source,
                                      std::string_view where,
                                      Config& config) {
  if (nests_too_deep(text)) return {std::string(where) + " nests deeper than a configuration can."};
  json settings;
  try {
    settings = json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const json::parse_error& error) {
    return {std::string(where) + " is not JSON: at byte " + std::to_string(error.byte) +
            ". Nothing of it is used."};
  } catch (const json::exception&) {
    return {std::string(where) + " holds a number out of range. Nothing of it is used."};
  }
  return apply_settings(settings, source, where, config);
}

std::vector<std::string> apply_config_file(const std::filesystem::path& file,
                                           ConfigSource source,
                                           Config& config) {
  const auto content = read_small_file(file);
  if (!content) return {content.error().message};
  if (!*content) return {};
  return apply_config(**content, source, file.string(), config);
}

bool concern_engine(const json& settings) {
  const auto is_named = [&](const char* key) { return settings.contains(key); };
  return std::ranges::any_of(
      std::array{"model", "adapters", "backend", "device", "kvFormat", "activations", "threads"},
      is_named);
}

std::string describe_config(const Config& config) {
  nlohmann::ordered_json all;
  for (const auto& row : rows())
    all[row.key] = row.get(config);
  return all.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<std::filesystem::path> find_model(const Config& config) {
  std::error_code error;
  if (!config.model.empty()) {
    // The daemon's folder is nobody's.
    if (!std::filesystem::path(config.model).is_absolute()) {
      return fail(ErrorCode::kInvalidArgument,
                  "The model file " + config.model +
                      " is no absolute path. Set \"model\" in config.json to the whole path of a "
                      "GGUF file; ~ and variables are not replaced there.");
    }
    if (std::filesystem::is_regular_file(config.model, error)) return config.model;
    return fail(ErrorCode::kNotFound,
                "There is no model file " + config.model +
                    ". Set \"model\" in config.json (or --model) to the path of a GGUF file.");
  }
  const auto starter = TRY(share_folder()) / "models" / "kinglet-starter.gguf";
  if (std::filesystem::is_regular_file(starter, error)) return starter;
  return fail(ErrorCode::kNotFound,
              "There is no model: neither \"model\" in config.json nor --model names one, and " +
                  starter.string() + " does not exist. Install Kinglet anew, or name a GGUF file.");
}

}  // namespace kinglet::daemon
