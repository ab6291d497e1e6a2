// What an index and its store have to survive: damaged files, kills, switched branches. After each
// the index must be what a fresh one is (doctest checks it).
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::test {

struct Ordeal {
  std::uint64_t seed = 1;
  std::uint64_t first_round = 0;  // rounds differ by their number, whoever ran the ones before
  std::uint64_t n_rounds = 0;
};

struct DamageFigures {
  std::uint64_t n_parsed = 0;    // files that had to be parsed again, of all rounds
  std::uint64_t n_recalled = 0;  // files that came from the damaged store
};
/// Each round damages the store of a repository and indexes that with what is left.
DamageFigures run_damaged_stores(const Ordeal& ordeal);

struct KillFigures {
  std::uint64_t n_kills = 0;
  std::uint64_t n_settled = 0;  // kills before which the index was complete
};
/// Each round changes a repository, starts `kinglet lsp --standalone` on it with the store that the
/// last round left, and kills it up to 150 ms later; every tenth round lets it finish and looks.
KillFigures run_index_kills(const Ordeal& ordeal);

struct SwitchFigures {
  std::uint64_t n_requests = 0;
  std::uint64_t n_silent = 0;  // of a third of them: no answer about a file that was just changing
  double p50_ms = 0;
  double p99_ms = 0;
  double worst_ms = 0;
  double settle_seconds = 0;  // the longest time from a switch to an index that shows it
};
/// Each round switches a repository of that many files to its other branch, where a tenth of them
/// differs, while an editor types in one file and asks.
SwitchFigures run_branch_switches(const Ordeal& ordeal, std::size_t n_files);

struct ManyFilesFigures {
  std::uint64_t peak_bytes = 0;  // of the daemon, resident, looked at all the time
  std::uint64_t in_files = 0;    // of the index, bytes
  double cold_seconds = 0;
  double warm_seconds = 0;
  double pack_seconds = 0;  // of a prompt in it
};
/// Indexes a repository of that many small files with a `memoryLimit` in MiB, then once more with
/// the store of the first time; some files are looked for both times.
ManyFilesFigures run_many_files(std::size_t n_files, std::uint64_t memory_limit);

}  // namespace kinglet::test
