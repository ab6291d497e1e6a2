#include "indexer/clang/flags.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace kinglet::indexer::clang {

namespace {

constexpr std::size_t kMaxFlags = 4096;
constexpr std::size_t kMaxFlagBytes = 4096;

/// How a flag with a value is written: "-Ifoo", "-I foo", or both.
enum class Value : std::uint8_t { kJoinedOrNext, kNext, kJoined };

enum class Kind : std::uint8_t {
  kText,     // a macro, a language, a version
  kFolder,   // a folder to look for headers in
  kFile,     // a file that is included
  kIgnored,  // known to have a value: both are dropped
};

struct FlagRow {
  std::string_view name;
  Value value;
  Kind kind;
};

/// The longer name first where one begins with another.
constexpr auto kFlagsWithValue = std::to_array<FlagRow>({
    {"-isystem-after", Value::kNext, Kind::kIgnored},
    {"-isystem", Value::kJoinedOrNext, Kind::kFolder},
    {"-idirafter", Value::kJoinedOrNext, Kind::kFolder},
    {"-iquote", Value::kJoinedOrNext, Kind::kFolder},
    {"-iprefix", Value::kJoinedOrNext, Kind::kIgnored},
    {"-imultilib", Value::kJoinedOrNext, Kind::kIgnored},
    {"-isysroot", Value::kJoinedOrNext, Kind::kIgnored},
    {"-imacros", Value::kJoinedOrNext, Kind::kFile},
    {"-include-pch", Value::kNext, Kind::kIgnored},
    {"-include", Value::kJoinedOrNext, Kind::kFile},
    {"-I", Value::kJoinedOrNext, Kind::kFolder},
    {"-D", Value::kJoinedOrNext, Kind::kText},
    {"-U", Value::kJoinedOrNext, Kind::kText},
    {"-std=", Value::kJoined, Kind::kText},
    {"--std=", Value::kJoined, Kind::kText},
    {"-x", Value::kJoinedOrNext, Kind::kText},
    {"-Xclang", Value::kNext, Kind::kIgnored},
    {"-Xpreprocessor", Value::kNext, Kind::kIgnored},
    {"-Xassembler", Value::kNext, Kind::kIgnored},
    {"-Xlinker", Value::kNext, Kind::kIgnored},
    {"-Xarch", Value::kNext, Kind::kIgnored},
    {"-mllvm", Value::kNext, Kind::kIgnored},
    {"-load", Value::kNext, Kind::kIgnored},
    {"-target", Value::kNext, Kind::kIgnored},
    {"-arch", Value::kNext, Kind::kIgnored},
    {"-MF", Value::kJoinedOrNext, Kind::kIgnored},
    {"-MT", Value::kJoinedOrNext, Kind::kIgnored},
    {"-MQ", Value::kJoinedOrNext, Kind::kIgnored},
    {"-MJ", Value::kJoinedOrNext, Kind::kIgnored},
    {"-o", Value::kJoinedOrNext, Kind::kIgnored},
    {"-B", Value::kJoinedOrNext, Kind::kIgnored},
    {"-L", Value::kJoinedOrNext, Kind::kIgnored},
    {"-l", Value::kJoinedOrNext, Kind::kIgnored},
    {"-T", Value::kJoinedOrNext, Kind::kIgnored},
    {"-specs", Value::kNext, Kind::kIgnored},
    {"--sysroot", Value::kNext, Kind::kIgnored},
    {"--param", Value::kNext, Kind::kIgnored},
});

/// Flags without a value, or with one after '=', that change what a program means. "-fno-" and
/// "-mno-" forms of a row are allowed with it.
constexpr auto kSwitches = std::to_array<std::string_view>({
    "-ansi",
    "-pthread",
    "-trigraphs",
    "-undef",
    "-nostdinc",
    "-nostdinc++",
    "-fPIC",
    "-fpic",
    "-fPIE",
    "-fpie",
    "-faligned-allocation",
    "-fasm",
    "-fblocks",
    "-fbuiltin",
    "-fchar8_t",
    "-fcf-protection",
    "-fcommon",
    "-fconcepts",
    "-fcoroutines",
    "-fcxx-exceptions",
    "-fdeclspec",
    "-fdelayed-template-parsing",
    "-fexceptions",
    "-ffast-math",
    "-ffreestanding",
    "-fgnu-keywords",
    "-fgnu89-inline",
    "-fhosted",
    "-finline",
    "-fmath-errno",
    "-fms-compatibility",
    "-fms-extensions",
    "-fomit-frame-pointer",
    "-fopenmp",
    "-fpermissive",
    "-frelaxed-template-template-args",
    "-frtti",
    "-fshort-enums",
    "-fshort-wchar",
    "-fsigned-char",
    "-fsized-deallocation",
    "-fstack-protector",
    "-fstack-protector-all",
    "-fstack-protector-strong",
    "-fstrict-aliasing",
    "-fstrict-enums",
    "-fthreadsafe-statics",
    "-ftrapv",
    "-funsigned-char",
    "-fvisibility-inlines-hidden",
    "-fwrapv",
    "-fzero-initialized-in-bss",
    "-m16",
    "-m32",
    "-m64",
    "-mx32",
    "-maes",
    "-mavx",
    "-mavx2",
    "-mavx512bw",
    "-mavx512cd",
    "-mavx512dq",
    "-mavx512f",
    "-mavx512vl",
    "-mavx512vnni",
    "-mbmi",
    "-mbmi2",
    "-mf16c",
    "-mfma",
    "-mlzcnt",
    "-mmmx",
    "-mpclmul",
    "-mpopcnt",
    "-mrdrnd",
    "-msha",
    "-msse",
    "-msse2",
    "-msse3",
    "-mssse3",
    "-msse4",
    "-msse4.1",
    "-msse4.2",
    "-msse4a",
    "-mxsave",
});

/// With one of a few words after '='.
constexpr auto kSwitchesWithWord = std::to_array<std::string_view>({
    "-march=",
    "-mtune=",
    "-mcpu=",
    "-mfpu=",
    "-mfloat-abi=",
    "-fvisibility=",
    "-ffp-contract=",
    "-fcf-protection=",
    "-fopenmp=",
    "-stdlib=",
});

constexpr auto kLanguages = std::to_array<std::string_view>({
    "c",
    "c-header",
    "c++",
    "c++-header",
});

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '_' || c == '.' || c == ':';
  });
}

bool is_allowed_switch(std::string_view flag) {
  std::string positive(flag);
  if (flag.starts_with("-fno-") || flag.starts_with("-mno-")) positive.erase(2, 3);
  if (std::ranges::find(kSwitches, positive) != kSwitches.end()) return true;
  if (flag == "-O" || (flag.size() == 3 && flag.starts_with("-O"))) return is_word(flag.substr(1));
  return std::ranges::any_of(kSwitchesWithWord, [&](std::string_view name) {
    return flag.starts_with(name) && flag.size() - name.size() <= 32 &&
           is_word(flag.substr(name.size()));
  });
}

/// The value as it is passed on; nothing: it is not.
std::optional<std::string> judge_value(const FlagRow& row,
                                       std::string_view value,
                                       const CommandPlace& place) {
  if (value.empty() || value.size() > kMaxFlagBytes) return std::nullopt;
  if (value.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos) {
    return std::nullopt;
  }
  switch (row.kind) {
    case Kind::kIgnored:
      return std::nullopt;
    case Kind::kText:
      if (row.name == "-x" && std::ranges::find(kLanguages, value) == kLanguages.end()) {
        return std::nullopt;
      }
      if (row.name.ends_with("std=") && !is_word(value)) return std::nullopt;
      return std::string(value);
    case Kind::kFolder: {
      // "=dir" and "$SYSROOT" forms are the sysroot's.
      std::string folder = make_absolute(value, place.folder);
      if (value[0] == '=' || value[0] == '-') return std::nullopt;
      if (!is_below(folder, place.root) && !is_system_folder(folder)) return std::nullopt;
      return folder;
    }
    case Kind::kFile: {
      std::string file = make_absolute(value, place.folder);
      if (value[0] == '-' || !is_below(file, place.root)) return std::nullopt;
      return file;
    }
  }
  return std::nullopt;
}

const FlagRow* find_row(std::string_view argument) {
  const auto row = std::ranges::find_if(kFlagsWithValue, [&](const FlagRow& candidate) {
    if (candidate.value == Value::kNext) return argument == candidate.name;
    return argument.starts_with(candidate.name);
  });
  return row == kFlagsWithValue.end() ? nullptr : &*row;
}

}  // namespace

std::vector<std::string> split_command(std::string_view command) {
  std::vector<std::string> arguments;
  std::optional<std::string> current;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const bool escapes = c == '\\' && quote != '\'' && i + 1 < command.size() &&
                         (quote == 0 || command[i + 1] == '"' || command[i + 1] == '\\' ||
                          command[i + 1] == '$' || command[i + 1] == '`');
    if (escapes) {
      if (!current) current.emplace();
      *current += command[++i];
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      if (!current) current.emplace();
    } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      if (current) arguments.push_back(*std::exchange(current, std::nullopt));
    } else {
      if (!current) current.emplace();
      *current += c;
    }
  }
  if (current) arguments.push_back(*std::move(current));
  return arguments;
}

std::vector<std::string> filter_flags(std::span<const std::string> arguments,
                                      const CommandPlace& place) {
  std::vector<std::string> flags;
  for (std::size_t i = 0; i < arguments.size() && flags.size() < kMaxFlags; ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") break;  // only files follow
    if (const FlagRow* row = find_row(argument)) {
      const bool is_next = argument.size() == row->name.size() && row->value != Value::kJoined;
      if (is_next && ++i == arguments.size()) break;
      const std::string_view value = is_next ? std::string_view(arguments[i])
                                             : std::string_view(argument).substr(row->name.size());
      auto allowed = judge_value(*row, value, place);
      if (!allowed) continue;
      if (row->value == Value::kJoined || row->name.size() == 2) {
        // "-Ifoo": one argument, so that a value can never be taken for a flag.
        flags.push_back(std::string(row->name) + *std::move(allowed));
      } else {
        flags.emplace_back(row->name);
        flags.push_back(*std::move(allowed));
      }
    } else if (is_allowed_switch(argument)) {
      flags.push_back(argument);
    }
  }
  return flags;
}

bool is_system_folder(std::string_view path) {
  static constexpr auto kFolders =
      std::to_array<std::string_view>({"/usr", "/opt", "/nix/store", "/gnu/store"});
  return std::ranges::any_of(kFolders,
                             [&](std::string_view folder) { return is_below(path, folder); });
}

std::string make_absolute(std::string_view path, std::string_view folder) {
  const std::filesystem::path given(path);
  auto whole = given.is_absolute() ? given : std::filesystem::path(folder) / given;
  std::string normal = whole.lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

bool is_below(std::string_view path, std::string_view folder) {
  while (folder.size() > 1 && folder.ends_with('/'))
    folder.remove_suffix(1);
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace kinglet::indexer::clang
