#include "indexer/error_share.h"

#include <cstdint>

#include <tree_sitter/api.h>

#include "indexer/syntax.h"

namespace kinglet::indexer {

std::optional<double> error_share(const Language& language,
                                  std::string_view text,
                                  const ParseLimits& limits) {
  if (language.grammar == nullptr || text.size() > limits.max_grammar_bytes) return std::nullopt;
  if (text.empty()) return 0;
  const Budget budget{.deadline = thread_time() + limits.max_time, .stop = {}};
  const Tree tree = parse_tree(language.grammar(), text, budget);
  if (!tree) return std::nullopt;
  std::uint64_t n_bytes = 0;
  const bool is_whole = walk(ts_tree_root_node(tree.get()), budget, [&](TSNode node, unsigned) {
    if (ts_node_is_error(node)) {
      n_bytes += ts_node_end_byte(node) - ts_node_start_byte(node);
      return false;
    }
    return ts_node_has_error(node);
  });
  if (!is_whole) return std::nullopt;
  return static_cast<double>(n_bytes) / static_cast<double>(text.size());
}

}  // namespace kinglet::indexer
