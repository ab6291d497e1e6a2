// Definitions of one file, from what matched to what a record says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/language.h"
#include "indexer/record.h"

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

/// Fills in `name`, `container` and `name_range` from the text of a declared name,
/// "a::Foo<T>::bar". False when nothing is left to call it.
bool set_name(Candidate& candidate,
              std::string_view text,
              ByteRange name,
              std::string_view scope_separator);

/// An import's target, from how it is written: without quotes, on one line.
std::string import_target(std::string_view written);

/// Fills in `container` where the name did not say it: what a definition belongs to without lying
/// in it, a receiver's type.
void set_container(Candidate& candidate, std::string_view text, ByteRange container);

/// Sorts, drops duplicates and locals, and writes containers, signatures and docs. `comments` are
/// in order.
std::vector<Definition> settle(std::vector<Candidate> candidates,
                               const Language& language,
                               std::string_view text,
                               const std::vector<ByteRange>& comments);

}  // namespace kinglet::indexer
