// A language's query file, compiled.
//
// Patterns of one bare node, `(identifier) @reference`, match at almost every leaf. Running them
// through tree-sitter's general matcher would cost more than all others together, so they become a
// table indexed by node kind, for the one walk over the tree that the parser makes anyway; the
// matcher runs the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tree_sitter/api.h>

#include "daemon/base/result.h"
#include "indexer/language.h"
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
};

class CompiledQuery {
 public:
  /// kInvalidArgument with the place in the query file.
  static Result<CompiledQuery> compile(const Language& language);

  LeafRole leaf_role(TSSymbol kind) const {
    return kind < leaf_roles_.size() ? leaf_roles_[kind] : LeafRole::kNone;
  }
  CaptureRole capture_role(std::uint32_t capture) const { return captures_[capture].role; }
  SymbolKind symbol_kind(std::uint32_t capture) const { return captures_[capture].kind; }

  /// Whether the match's predicates hold: #any-of? and #prefix? on a capture's text.
  bool holds(const TSQueryMatch& match, std::string_view text) const;

  const TSQuery* query() const { return query_.get(); }

 private:
  struct QueryDeleter {
    void operator()(TSQuery* query) const { ts_query_delete(query); }
  };
  struct Capture {
    CaptureRole role = CaptureRole::kHelper;
    SymbolKind kind = SymbolKind::kFunction;  // of kDefinition
  };
  struct Predicate {
    enum class Test : std::uint8_t { kAnyOf, kPrefix } test;
    std::uint32_t capture = 0;
    std::vector<std::string> words;
  };

  std::unique_ptr<TSQuery, QueryDeleter> query_;
  std::vector<LeafRole> leaf_roles_;                // by node kind
  std::vector<Capture> captures_;                   // by capture id
  std::vector<std::vector<Predicate>> predicates_;  // by pattern
};

/// Compiled once per language and kept; the language has a grammar.
const CompiledQuery& compiled_query(const Language& language);

}  // namespace kinglet::indexer
