// The program: one table of verbs, `kinglet VERB …`.
#include "daemon/commands/command.h"

int main(int argc, char** argv) {
  return kinglet::daemon::run_command_line(argc, argv);
}
