// Exact and regular-expression search over a file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/base/text.h"

// PCRE2's own type, so that its header stays out of ours.
struct pcre2_real_code_8;

namespace kinglet::indexer {

struct TextQuery {
  std::string text;
  bool is_regex = false;  // Perl's syntax; ^ and $ are a line's ends
  bool ignores_case = false;
};

/// Longer ones are refused.
inline constexpr std::size_t kMaxPatternBytes = 4096;

/// A compiled query. Safe on several threads.
class TextPattern {
 public:
  /// kInvalidArgument with what is wrong and where: an empty query, one that is too long, a bad
  /// regular expression.
  static Result<TextPattern> compile(const TextQuery& query);

  /// Calls `visit` for each match, in order; matches do not overlap and are not empty. Stops when
  /// it returns false. Bytes that are not UTF-8 are bytes. kUnsupported when the expression takes
  /// too many steps for this text: what was visited before stands.
  Result<void> find(std::string_view text, const std::function<bool(ByteRange)>& visit) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };

  std::string text_;                               // searched for as it is, when there is no code
  std::unique_ptr<pcre2_real_code_8, Free> code_;  // of a regular expression
};

}  // namespace kinglet::indexer
