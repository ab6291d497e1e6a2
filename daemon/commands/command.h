// The verbs of the command line: one file and one row of commands/all.cpp each.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// Does what a verb is for, once its flags are read; the exit code of the program. An Error is
/// printed and exits with 1.
using Action = std::function<Result<int>()>;

enum class Audience : std::uint8_t {
  kPeople,
  kOurselves,  // started by Kinglet itself; not shown in the help
};

struct Command {
  std::string_view name;
  std::string_view help;      // one line
  std::string_view examples;  // one a line; shown by `kinglet NAME --help`
  Audience audience;
  /// Adds the verb's flags to `app` and returns what it does. Flags live in a struct that the
  /// action shares.
  Action (*configure)(CLI::App& app);
};

/// The table (commands/all.cpp).
std::span<const Command> all_commands();

/// Reads the command line, runs the verb, prints errors; the program's exit code.
int run_command_line(int argc, char** argv);

}  // namespace kinglet::daemon
