// One pattern of a query file, as a tree of tests on nodes (match.h runs it).
//
// The part of tree-sitter's query language that is known here: nested nodes with fields, `(_)` and
// `_`, "anonymous" nodes, alternations, anchors, negated fields, captures, ?, * and + on children,
// and predicates that compare a capture with strings. A pattern that says more is left to
// tree-sitter's own matcher.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tree_sitter/api.h>

namespace kinglet::indexer {

/// What has to hold of the text of some node with that capture.
struct Predicate {
  enum class Test : std::uint8_t { kAnyOf, kPrefix } test = Test::kAnyOf;
  std::uint16_t capture = 0;
  std::vector<std::string> words;
};

/// "any-of?", "eq?" and "prefix?"; nothing for other names.
std::optional<Predicate::Test> predicate_test(std::string_view name);

enum class Quantifier : std::uint8_t { kOne, kOptional, kAny, kSome };

struct NodeTest;

/// A child that has to be there. Children may have others between them.
struct ChildTest {
  std::vector<NodeTest> alternatives;
  TSFieldId field = 0;  // 0: any or none
  Quantifier quantifier = Quantifier::kOne;
  bool is_next = false;  // no named node between it and the child before, or the parent's begin
  bool is_last = false;  // no named sibling after it
  bool captures = false;
};

struct NodeTest {
  static constexpr TSSymbol kAny = UINT16_MAX - 2;  // besides ERROR
  TSSymbol kind = kAny;
  bool is_named = false;          // of kAny: `(_)`
  std::vector<TSFieldId> absent;  // fields that it may not have
  std::vector<ChildTest> children;
  std::vector<std::uint16_t> captures;  // ids of itself
};

struct Pattern {
  std::vector<NodeTest> roots;  // alternatives
  std::vector<Predicate> predicates;
};

/// Names of captures by id.
using CaptureNames = std::vector<std::string>;

struct PatternText {
  std::size_t begin = 0, end = 0;  // in the query file
  std::string_view of(std::string_view query) const { return query.substr(begin, end - begin); }
};

/// Where each pattern of a query file is. Anything that is no pattern belongs to the one before.
std::vector<PatternText> split_patterns(std::string_view query);

/// Nothing when the pattern is not of the part that is known, or wrong. New captures are added.
std::optional<Pattern> parse_pattern(std::string_view text,
                                     const TSLanguage* grammar,
                                     CaptureNames& captures);

/// The id of that capture, which may be new.
std::uint16_t capture_id(CaptureNames& captures, std::string_view name);

}  // namespace kinglet::indexer
