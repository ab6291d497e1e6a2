// Definitions and imports of one file, from its syntax tree.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tree_sitter/api.h>

#include "daemon/base/text.h"
#include "indexer/language.h"
#include "indexer/query.h"
#include "indexer/record.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {

/// A definition on its way into a record: container, signature and doc are still ranges.
struct Candidate {
  Definition definition;      // name, kind, evidence, has_body, is_test and ranges are set
  ByteRange signature;        // from its first byte to the end of the definition
  ByteRange body;             // left out of the signature; empty: none
  ByteRange doc;              // a docstring; empty: look for a comment before
  std::uint32_t rank = 0;     // of two that name the same place the lower one stays
  bool is_qualified = false;  // its name said where it belongs: `Foo::bar`; container holds "Foo"
};

struct Findings {
  std::vector<Candidate> candidates;
  std::vector<Import> imports;
};

/// Fills in `name`, `container` and `name_range` from the text of a declared name,
/// "a::Foo<T>::bar". False when nothing is left to call it.
bool set_name(Candidate& candidate,
              std::string_view text,
              ByteRange name,
              std::string_view scope_separator);

/// Runs the query file's patterns. False when the budget ran out.
bool run_query(const Language& language,
               TSNode root,
               std::string_view text,
               const Budget& budget,
               Findings& findings);

/// Sorts, drops duplicates and locals, and writes containers, signatures and docs. `comments` are
/// in order.
std::vector<Definition> settle(std::vector<Candidate> candidates,
                               const Language& language,
                               std::string_view text,
                               const std::vector<ByteRange>& comments);

}  // namespace kinglet::indexer
