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

/// Null when the budget ran out. `text` has less than 4 GiB. `old`, if any, is of another text and
/// was told by ts_tree_edit() how that one differs.
Tree parse_tree(const TSLanguage* language,
                std::string_view text,
                const Budget& budget,
                const TSTree* old = nullptr);

}  // namespace kinglet::indexer
