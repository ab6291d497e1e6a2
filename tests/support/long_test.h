// What long tests share (CTest label "long", run by `./dev test --long`): a checkpoint to go on
// from after a break, and a page of figures, docs/results/NAME.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace kinglet::test {

/// The checked-out commit, short; with "+" when files differ from it, "unknown" without git.
std::string current_commit();

/// State that outlives the process. It counts for one name, seed and commit: figures of different
/// programs are never added up.
class Checkpoint {
 public:
  Checkpoint(const std::string& name, std::uint64_t seed);

  /// What save() wrote last; an empty object at the beginning.
  const nlohmann::json& state() const { return state_; }
  /// Replaces the file as a whole, so that a break leaves the old one or the new one.
  void save(nlohmann::json state);
  /// The test has ended: the next run begins anew.
  void clear();

 private:
  std::filesystem::path file_;
  nlohmann::json state_ = nlohmann::json::object();
};

/// Writes docs/results/NAME.md: a title, the commit and seed, and a row for each figure.
void write_results(const std::string& name,
                   const std::string& title,
                   std::uint64_t seed,
                   const std::vector<std::pair<std::string, std::string>>& figures);

}  // namespace kinglet::test
