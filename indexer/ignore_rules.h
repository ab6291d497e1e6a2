// The rules of one .gitignore file, as git reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer {

class IgnoreRules {
 public:
  /// `source` names the file in explanations. Any bytes are rules or not; nothing fails.
  IgnoreRules(std::string_view text, std::string source);

  struct Match {
    bool is_ignored = false;  // false: a rule with '!' takes it back in
    std::string rule;         // ".gitignore:3: *.o"
  };
  /// The last rule that matches; `path` is relative to the folder that the rules stand in, without
  /// '/' at its end. Whether a folder above is ignored is the caller's to know.
  std::optional<Match> match(std::string_view path, bool is_folder) const;

  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::vector<std::string> segments;  // of the pattern, split at '/'
    std::string text;
    std::size_t line = 0;
    bool is_negated = false;
    bool is_for_folders = false;
    bool is_anchored = false;  // matches the whole path; else any last component
  };
  std::vector<Rule> rules_;
  std::string source_;
};

/// Whether a file or folder name matches a pattern of `*`, `?`, `[a-z]`, `[!a]`, `[[:alpha:]]` and
/// `\x`, without '/'. Linear memory, time bounded by the product of the lengths.
bool matches_glob(std::string_view pattern, std::string_view name);

}  // namespace kinglet::indexer
