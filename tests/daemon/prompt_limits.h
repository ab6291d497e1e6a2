// Prompts at random places of a real repository, under random budgets, for every prompt format and
// every vocabulary at hand: what the packer promises, counted by the tokenizers themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/features/prompt.h"
#include "indexer/index.h"

namespace kinglet::test {

struct PromptLimitFigures {
  std::uint64_t n_cursors = 0;
  std::uint64_t n_refused = 0;  // budgets below what the format itself takes
  std::uint64_t n_prompts = 0;  // those that were retyped after an edit too
  std::uint64_t n_tokens = 0;   // of all prompts
  std::uint64_t n_budget = 0;   // … that they might have had
  std::uint64_t n_similar = 0;  // chunks
  std::uint64_t n_signatures = 0;
  std::uint64_t n_unparsed_signatures = 0;  // chunks of them with syntax errors
  std::vector<std::string> broken;          // promises, each with its place

  void add(const PromptLimitFigures& more);
};

class PromptLimits {
 public:
  /// Indexes the source files of a repository.
  PromptLimits(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files);

  std::size_t n_files() const { return paths_.size(); }
  /// "VOCABULARY, FORMAT" of each writer.
  const std::vector<std::string>& writers() const { return writer_names_; }

  /// One place and budget for each number from `first_cursor` on; each depends on its number and
  /// the seed alone.
  PromptLimitFigures check(std::uint64_t seed,
                           std::uint64_t first_cursor,
                           std::uint64_t n_cursors) const;

 private:
  void check_one(std::uint64_t seed, std::uint64_t cursor, PromptLimitFigures& figures) const;

  std::filesystem::path root_;
  std::vector<std::string> paths_;
  indexer::Index index_;
  std::vector<std::string> writer_names_;
  std::vector<std::shared_ptr<const daemon::PromptWriter>> writers_;
};

}  // namespace kinglet::test
