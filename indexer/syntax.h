// A syntax tree within a budget.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string_view>

#include <tree_sitter/api.h>

namespace kinglet::indexer {

/// CPU time of the calling thread. A parse is measured by it, so that a busy machine does not turn
/// a file that is easy to parse into one that is not.
std::chrono::nanoseconds thread_time();

/// How long a parse may go on, in the thread that it was made in. Long loops ask expired().
struct Budget {
  std::chrono::nanoseconds deadline;  // of thread_time()
  std::stop_token stop;

  bool expired() const { return stop.stop_requested() || thread_time() >= deadline; }
};

namespace detail {
struct TreeDeleter {
  void operator()(TSTree* tree) const { ts_tree_delete(tree); }
};
struct QueryCursorDeleter {
  void operator()(TSQueryCursor* cursor) const { ts_query_cursor_delete(cursor); }
};
}  // namespace detail

using Tree = std::unique_ptr<TSTree, detail::TreeDeleter>;
using QueryCursor = std::unique_ptr<TSQueryCursor, detail::QueryCursorDeleter>;

/// Null when the budget ran out. `text` has less than 4 GiB.
Tree parse_tree(const TSLanguage* language, std::string_view text, const Budget& budget);

/// Calls `visit(node, depth)` for every node in source order, parents first, without recursion: a
/// source may nest as deep as it is long. `visit` returns whether to go into the node. False when
/// the budget ran out.
template <class Visit>
bool walk(TSNode root, const Budget& budget, Visit visit) {
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  bool in_time = true;
  for (unsigned n_visited = 0, depth = 0;; ++n_visited) {
    if (n_visited % 4096 == 0 && budget.expired()) {
      in_time = false;
      break;
    }
    const bool enter = visit(ts_tree_cursor_current_node(&cursor), depth);
    if (enter && ts_tree_cursor_goto_first_child(&cursor)) {
      ++depth;
      continue;
    }
    bool moved = true;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      moved = ts_tree_cursor_goto_parent(&cursor);
      if (!moved) break;
      --depth;
    }
    if (!moved) break;
  }
  ts_tree_cursor_delete(&cursor);
  return in_time;
}

}  // namespace kinglet::indexer
