// What a file's syntax tree says, in one pass over it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/chunks.h"
#include "indexer/definitions.h"
#include "indexer/flat_tree.h"
#include "indexer/query.h"
#include "indexer/record.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {

struct Findings {
  std::vector<Candidate> candidates;
  std::vector<Import> imports;        // by place
  std::vector<ByteRange> comments;    // by place
  std::vector<ByteRange> references;  // by place
  std::vector<ByteRange> errors;      // outermost error nodes
};

/// Nothing when the budget ran out: where it did must not show. `text` is what was parsed. `kept`,
/// if any, is brought up to date with `tree` and spares most of reading it.
std::optional<Findings> find(const CompiledQuery& query,
                             const Language& language,
                             const TSTree* tree,
                             std::string_view text,
                             const Budget& budget,
                             CutCosts& costs,
                             FlatTree* kept = nullptr);

}  // namespace kinglet::indexer
