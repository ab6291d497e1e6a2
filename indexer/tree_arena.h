// Memory for one syntax tree.
//
// A parse makes and drops millions of small pieces, and a tenth of its time goes into the heap; to
// free the tree afterwards takes as long again as to read it. Both are nearly free when everything
// that tree-sitter allocates for one file lies in one region that is emptied at once.
#pragma once

#include <tree_sitter/api.h>

#include "indexer/syntax.h"

namespace kinglet::indexer {

/// While it lives, what tree-sitter allocates in this thread comes from the thread's region. All of
/// it has to be gone, or be forgotten, before the arena is. One at a time in a thread. Where
/// sanitizers watch the heap, it does nothing.
class TreeArena {
 public:
  TreeArena();
  ~TreeArena();
  TreeArena(const TreeArena&) = delete;
  TreeArena& operator=(const TreeArena&) = delete;

  /// A tree that was made in the arena needs no freeing; the region, which is large but not
  /// endless, may have run out, though.
  static void forget(Tree tree);
};

}  // namespace kinglet::indexer
