// Completions of holes as an editor would get them: the same parse workers, index, prompts, engine
// process and cuts (features/inline_completion.h), driven from here without a protocol between.
//
// A hole's file is laid over the index as its text is without the hole, before anything is asked:
// what is packed cannot hold what is to be written. An editor's document is laid over a moment
// after it is opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/config.h"
#include "daemon/eval/holes.h"
#include "daemon/features/packed_prompt.h"
#include "daemon/paths.h"
#include "indexer/index.h"

namespace kinglet::daemon {

enum class Chunks : std::uint8_t { kPacked, kBm25, kNone };
/// "packed", "bm25", "none".
std::string_view name_of(Chunks chunks);

/// One way to complete.
struct Variant {
  std::string name;
  std::size_t model = 0;       // of Completer::open()
  std::uint32_t n_budget = 0;  // tokens of the prompt
  /// Within the same budget. kBm25: whole chunks that share most names, as others pack; kNone: the
  /// hole's own file alone.
  Chunks chunks = Chunks::kPacked;
};

struct Completion {
  std::string text;  // what an editor would show
  std::uint32_t n_prompt = 0;
  std::uint32_t n_generated = 0;
  double pack_seconds = 0;
  std::optional<double> first_token_seconds;  // from the request on; nothing: there was no token
  double seconds = 0;
};

/// What packing is told of a hole: the index, and the one open document, without what is hidden.
/// `writer` and the budget are left open. Errors: those of indexer::parse_file().
Result<PackJob> job_for_hole(const std::filesystem::path& root,
                             const indexer::Snapshot& index,
                             const ChosenHole& hole);

/// For one thread; each call waits for its end.
class Completer {
 public:
  /// `fingerprint` is another one for another file, other settings and another build of Kinglet.
  struct ModelInfo {
    std::string name;
    std::string fingerprint;
    std::uint32_t n_usual_budget = 0;  // tokens of an editor's prompt
  };

  /// Loads a model for each of `configs`. No budget asked for later is above `n_longest_prompt`.
  /// Errors: those of find_model() and of loading it.
  static Result<std::unique_ptr<Completer>> open(const Paths& paths,
                                                 const std::vector<Config>& configs,
                                                 std::uint32_t n_longest_prompt);
  ~Completer();
  Completer(const Completer&) = delete;
  Completer& operator=(const Completer&) = delete;

  const std::vector<ModelInfo>& models() const { return models_; }
  /// Errors: those of asked_prompt_budget().
  Result<void> check_budget(std::size_t model, std::uint32_t n_budget) const;

  /// Brings the index of the repository up to date, and reads its git history. `on_progress` gets
  /// the percentage done. Errors: kUnavailable.
  Result<void> index(const std::filesystem::path& root,
                     const std::function<void(std::uint32_t)>& on_progress);
  const indexer::Snapshot& snapshot() const { return snapshot_; }
  const indexer::ChangeHistory& history() const { return *history_; }

  /// Greedily, of at most one and a half times the hole's own tokens and 16 more, as far as they
  /// fit the model's context behind the budget. REQUIRES: index(), and check_budget() was content.
  /// Errors: kUnavailable with what packing or the engine said.
  Result<Completion> complete(const ChosenHole& hole, const Variant& variant);

 private:
  struct Seat;
  Completer();
  void wait_until(const std::function<bool()>& condition);

  struct Loop;
  std::unique_ptr<Loop> loop_;  // outlives the seats
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<ModelInfo> models_;
  std::filesystem::path root_;
  indexer::Snapshot snapshot_;
  std::shared_ptr<const indexer::ChangeHistory> history_;
};

}  // namespace kinglet::daemon
