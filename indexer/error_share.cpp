#include "indexer/error_share.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "indexer/flat_tree.h"
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
  FlatTree flat;
  flat.read(tree.get());
  const std::vector<FlatNode>& nodes = flat.nodes();
  std::uint64_t n_bytes = 0;
  for (std::size_t i = 0; i < nodes.size();) {
    const bool is_error = nodes[i].kind == kErrorKind;
    if (is_error) n_bytes += nodes[i].range.size();
    i = is_error ? nodes[i].past : i + 1;
  }
  return static_cast<double>(n_bytes) / static_cast<double>(text.size());
}

}  // namespace kinglet::indexer
