// One function for each row of commands/all.cpp, defined in the file of its name.
#pragma once

#include "daemon/commands/command.h"

namespace kinglet::daemon {

Action bench_command(CLI::App& app);
Action clang_worker_command(CLI::App& app);
Action context_command(CLI::App& app);
Action daemon_command(CLI::App& app);
Action doctor_command(CLI::App& app);
Action engine_command(CLI::App& app);
Action eval_command(CLI::App& app);
Action generate_command(CLI::App& app);
Action index_command(CLI::App& app);
Action logits_command(CLI::App& app);
Action logs_command(CLI::App& app);
Action lsp_command(CLI::App& app);
Action models_command(CLI::App& app);
Action parse_worker_command(CLI::App& app);
Action purge_command(CLI::App& app);
Action refs_command(CLI::App& app);
Action search_command(CLI::App& app);
Action status_command(CLI::App& app);
Action stop_command(CLI::App& app);
Action symbols_command(CLI::App& app);
Action tokenize_command(CLI::App& app);
Action try_command(CLI::App& app);

}  // namespace kinglet::daemon
