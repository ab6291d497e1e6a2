// A language's query file, compiled into tables by node kind, for the one pass over a file's tree.
//
// Patterns of one bare node, `(identifier) @reference`, match at almost every leaf: they are a role
// of the node's kind. The others begin at few kinds and are run by match.h. What pattern.h does not
// know of tree-sitter's query language goes to tree-sitter's own matcher, which reads the tree once
// more; of the languages here only those with such a pattern pay for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tree_sitter/api.h>

#include "daemon/base/result.h"
#include "indexer/language.h"
#include "indexer/match.h"
#include "indexer/pattern.h"
#include "indexer/record.h"

namespace kinglet::indexer {

enum class LeafRole : std::uint8_t {
  kNone,
  kReference,
  kReferenceText,  // text the grammar does not parse, a macro's body: its identifiers
  kComment,
};

enum class CaptureRole : std::uint8_t {
  kHelper,      // @_name: for predicates only
  kDefinition,  // @definition.KIND
  kName,
  kBody,     // left out of the signature
  kContent,  // a body that belongs to the signature
  kDoc,
  kTest,
  kInner,       // a definition that @outer wraps: template, decorators
  kOuter,       // wider range, signature too
  kOuterLines,  // wider range only
  kImport,
  kTarget,
  kContainer,  // what a definition belongs to, where that does not enclose it: a receiver
};

/// Who runs the patterns.
enum class MatchBy : std::uint8_t {
  kTables,      // the tables, and tree-sitter what they cannot
  kTreeSitter,  // tree-sitter all: what the tables are tested by
};

class CompiledQuery {
 public:
  /// A pattern's outermost node.
  struct Root {
    std::uint32_t pattern = 0;
    const NodeTest* test = nullptr;
  };

  /// kInvalidArgument with the place in the query file.
  static Result<CompiledQuery> compile(const Language& language, MatchBy by = MatchBy::kTables);

  LeafRole leaf_role(TSSymbol kind) const {
    return kind < leaf_roles_.size() ? leaf_roles_[kind] : LeafRole::kNone;
  }
  /// Patterns that may begin at a node of that kind, in the file's order.
  std::span<const Root> roots(TSSymbol kind) const {
    return kind < roots_.size() ? std::span<const Root>(roots_[kind]) : std::span<const Root>();
  }
  CaptureRole capture_role(std::uint16_t capture) const { return captures_[capture].role; }
  SymbolKind symbol_kind(std::uint16_t capture) const { return captures_[capture].kind; }

  /// Whether the predicates of a match hold: #any-of?, #eq? and #prefix? on a capture's text.
  bool holds(std::uint32_t pattern, std::span<const Captured> match, std::string_view text) const;

  /// The patterns that are in no table; null when there are none.
  const TSQuery* rest() const { return rest_.get(); }
  /// What that query's match is in our numbers.
  std::uint32_t pattern_of(const TSQueryMatch& match) const {
    return rest_patterns_[match.pattern_index];
  }
  std::uint16_t capture_of(const TSQueryCapture& capture) const {
    return rest_captures_[capture.index];
  }

 private:
  struct QueryDeleter {
    void operator()(TSQuery* query) const { ts_query_delete(query); }
  };
  struct Capture {
    CaptureRole role = CaptureRole::kHelper;
    SymbolKind kind = SymbolKind::kFunction;  // of kDefinition
  };

  Result<void> compile_rest(const Language& language,
                            const std::vector<PatternText>& places,
                            const std::vector<std::uint32_t>& rest,
                            CaptureNames& names);
  Result<void> set_roles(const CaptureNames& names, const std::string& file);
  bool add_leaf(std::string_view pattern, const TSLanguage* grammar);
  void add_roots(const TSLanguage* grammar);

  std::vector<LeafRole> leaf_roles_;      // by node kind
  std::vector<std::vector<Root>> roots_;  // by node kind
  std::vector<Pattern> patterns_;         // in the file's order; some are empty
  std::vector<Capture> captures_;         // by id
  std::unique_ptr<TSQuery, QueryDeleter> rest_;
  std::vector<std::uint32_t> rest_patterns_;  // by its index there
  std::vector<std::uint16_t> rest_captures_;  // by its id there
};

/// Compiled once per language and kept; the language has a grammar.
const CompiledQuery& compiled_query(const Language& language);

}  // namespace kinglet::indexer
