// Runs patterns on a flat tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/flat_tree.h"
#include "indexer/pattern.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {

/// A node that a pattern captured. Of one match the outer ones come first, siblings in order.
struct Captured {
  std::uint16_t capture = 0;
  ByteRange range;
};

/// As tree-sitter's matcher: every way of choosing children gives a match, but of the ways that
/// differ in children that may or may not be there only the one with the most is one. Matches that
/// capture the same nodes may come twice.
class Matcher {
 public:
  using OnMatch = std::function<void(std::span<const Captured>)>;

  Matcher(const std::vector<FlatNode>& nodes, const Budget& budget)
      : nodes_(nodes), budget_(budget) {}

  /// Matches whose outermost node is this one. Predicates are not asked.
  void match(const NodeTest& root, std::uint32_t at, const OnMatch& on_match);

  /// The budget ran out: nothing more is found.
  bool is_out_of_time() const { return is_out_of_time_; }

 private:
  template <class Signature>
  class FunctionRef;
  using Rest = FunctionRef<bool()>;

  bool node(const NodeTest& test, std::uint32_t at, Rest rest);
  bool children(
      const NodeTest& test, std::size_t i, std::uint32_t at, std::uint32_t end, Rest rest);
  bool repeated(
      const NodeTest& test, std::size_t i, std::uint32_t& at, std::uint32_t end, Rest rest);
  bool first_way(const ChildTest& test, std::uint32_t at);
  bool fits(const ChildTest& test, std::uint32_t at, std::uint32_t end) const;

  const std::vector<FlatNode>& nodes_;
  const Budget& budget_;
  std::vector<Captured> captured_;
  std::uint32_t n_steps_ = 0;
  bool is_out_of_time_ = false;
};

}  // namespace kinglet::indexer
