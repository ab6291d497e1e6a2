// The record of a text that someone types in. Defined in parse.cpp: it is parse_file() with the
// tree of the text before.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "daemon/base/result.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "indexer/record.h"

namespace kinglet::indexer {

/// A text that is being edited. Its tree is kept, so that a record after an edit costs what lies
/// around the edit and one pass over the tree. For one thread at a time.
class ParsedFile {
 public:
  /// The language lives as long as the program.
  explicit ParsedFile(const Language& language);
  ParsedFile(ParsedFile&& other) noexcept;
  ParsedFile& operator=(ParsedFile&& other) noexcept;
  ~ParsedFile();

  /// The record of the text as it is now: as parse_file() gives it if is_exact() afterwards. Errors
  /// as there; after one the next update starts anew.
  Result<FileRecord> update(std::string text,
                            const ParseLimits& limits = {},
                            const std::stop_token& stop = {});

  const Language& language() const;

  /// False: the last record was made from an edited tree with error nodes. How a parser recovers
  /// from errors depends on what it could reuse; one such record in some hundred differs from
  /// parse_file()'s. Good for what someone types, not for what is kept.
  bool is_exact() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet::indexer
