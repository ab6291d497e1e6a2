// Kills workers at random moments of completions, again and again.
#pragma once

#include <cstdint>

namespace kinglet::test {

struct KillLoop {
  std::uint64_t seed = 1;
  std::uint64_t first_round = 0;  // rounds are the same whoever computed the ones before
  std::uint64_t n_rounds = 0;
};

struct KillLoopFigures {
  std::uint64_t n_engine_kills = 0;  // signals sent to a living engine
  std::uint64_t n_parse_worker_kills = 0;
  std::uint64_t n_errors = 0;  // answers that say the worker is gone, instead of a completion
};

/// Each round types, saves the file (for the parse worker to read), asks for a completion, kills
/// the engine or a parse worker up to 50 ms later, and checks (doctest) that there is exactly one
/// answer, that the next request is answered, too, and that the daemon is still the same process.
KillLoopFigures run_kill_loop(const KillLoop& loop);

}  // namespace kinglet::test
