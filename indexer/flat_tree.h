// A syntax tree as one array.
//
// tree-sitter's cursor takes some 170 ns a node and its query matcher several times that. One pass
// over the tree's own memory takes a tenth of it, and patterns that look at an array are cheaper
// than the pass. The price: flat_tree.cpp reads structures that are tree-sitter's own, of the one
// version that is compiled in; a test compares with the cursor.
#pragma once

#include <cstdint>
#include <vector>

#include <tree_sitter/api.h>

#include "daemon/base/text.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {

/// The kind of an error node.
inline constexpr TSSymbol kErrorKind = UINT16_MAX;

/// A visible node. Children follow their parent: the first one, if any, stands behind it, the next
/// sibling of a node at `past`.
struct FlatNode {
  ByteRange range;
  std::uint32_t first_row = 0;
  std::uint32_t last_row = 0;  // of its last byte
  std::uint32_t past = 0;      // index of the first node that is not below it
  TSSymbol kind = 0;           // as ts_node_symbol() gives it
  TSFieldId field = 0;         // in its parent; 0: none
  bool is_named = false;
};

/// In source order, parents first, the root at 0.
class FlatTree {
 public:
  /// Replaces what it holds.
  void read(const TSTree* tree);

  /// As read(), of a tree that was parsed with the last one as its old tree: what both share is
  /// moved and not read again, a third of what a record after an edit costs.
  void update(const TSTree* tree);

  const std::vector<FlatNode>& nodes() const { return nodes_; }

 private:
  friend class Flattener;
  /// A piece of tree-sitter's that is large enough to be looked for in the next tree. As long as
  /// `tree_` lives, no other piece has its address.
  struct Landmark {
    const void* piece;
    std::uint32_t node_idx;
  };

  std::vector<FlatNode> nodes_;
  std::vector<Landmark> landmarks_;  // by node
  Tree tree_;                        // of update()
};

}  // namespace kinglet::indexer
