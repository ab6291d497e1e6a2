// `kinglet models …`: one function a word, each in the file of its name.
#pragma once

#include "daemon/commands/command.h"

namespace kinglet::daemon {

Action models_list(CLI::App& app);
Action models_show(CLI::App& app);
Action models_test(CLI::App& app);

}  // namespace kinglet::daemon
