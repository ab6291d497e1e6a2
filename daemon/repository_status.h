// How far the indexing of a repository has come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::daemon {

enum class RepositoryState : std::uint8_t { kNew, kScanning, kIndexing, kReady, kFailed };
std::string_view name_of(RepositoryState state);

struct RepositoryStatus {
  RepositoryState state = RepositoryState::kNew;
  std::size_t n_found = 0;    // files that the scan chose
  std::size_t n_done = 0;     // of these, parsed, left out by their content, or failed
  std::size_t n_failed = 0;   // files without a record: `problems` tells the first ones
  std::size_t n_changed = 0;  // files read because they were new or had changed
  std::size_t n_parsed = 0;   // of these, parsed: their content was not known
  std::map<std::string, std::size_t> left_out;  // paths, by reason
  std::vector<std::string> problems;            // "path: what happened"
  std::string problem;                          // of the whole, while kFailed
  double scan_seconds = 0;                      // of the scan
  double seconds = 0;                           // from the start of the scan to kReady
};

}  // namespace kinglet::daemon
