#include "indexer/match.h"

#include <utility>

namespace kinglet::indexer {

/// What is called before it ends: no allocation, no copy.
template <class Result, class... Arguments>
class Matcher::FunctionRef<Result(Arguments...)> {
 public:
  template <class Callable>
  // NOLINTNEXTLINE(google-explicit-constructor): it stands for any callable
  FunctionRef(const Callable& callable)
      : callable_(&callable), call_([](const void* it, Arguments... arguments) -> Result {
          return (*static_cast<const Callable*>(it))(arguments...);
        }) {}
  Result operator()(Arguments... arguments) const { return call_(callable_, arguments...); }

 private:
  const void* callable_;
  Result (*call_)(const void*, Arguments...);
};

void Matcher::match(const NodeTest& root, std::uint32_t at, const OnMatch& on_match) {
  captured_.clear();
  node(root, at, [&] {
    on_match(captured_);
    return true;
  });
}

// Whether the node fits; then `rest` is asked, once for each way in which its children fit. Whether
// any way led to a match.
bool Matcher::node(const NodeTest& test, std::uint32_t at, Rest rest) {
  constexpr std::uint32_t kStepsBetweenLooks = 1U << 14;
  if (++n_steps_ % kStepsBetweenLooks == 0 && budget_.expired()) is_out_of_time_ = true;
  const FlatNode& node = nodes_[at];
  if (test.kind != NodeTest::kAny) {
    if (node.kind != test.kind) return false;
  } else if (node.kind == kErrorKind || (test.is_named && !node.is_named)) {
    return false;
  }
  for (const TSFieldId field : test.absent) {
    for (std::uint32_t child = at + 1; child < node.past; child = nodes_[child].past) {
      if (nodes_[child].field == field) return false;
    }
  }
  const std::size_t n_captured = captured_.size();
  for (const std::uint16_t capture : test.captures)
    captured_.push_back({capture, node.range});
  const bool found = children(test, 0, at + 1, node.past, rest);
  captured_.resize(n_captured);
  return found;
}

// The i-th child test and those after it, on the siblings from `at` on.
bool Matcher::children(
    const NodeTest& test, std::size_t i, std::uint32_t at, std::uint32_t end, Rest rest) {
  if (i == test.children.size()) return rest();
  const ChildTest& child = test.children[i];
  const bool is_repeated =
      child.quantifier == Quantifier::kAny || child.quantifier == Quantifier::kSome;
  bool found = false;
  for (std::uint32_t sibling = at; sibling < end && !is_out_of_time_;) {
    std::uint32_t last = sibling;  // of those that this child test took
    bool found_here = false;
    if (is_repeated) {
      found_here = repeated(test, i, last, end, rest);
    } else if (fits(child, sibling, end)) {
      for (const NodeTest& alternative : child.alternatives) {
        const bool took = node(alternative, sibling, [&] {
          return children(test, i + 1, nodes_[sibling].past, end, rest);
        });
        found_here = found_here || took;
        if (took && !child.captures) break;
      }
    }
    found = found || found_here;
    // Another choice of a child that nobody captures is the same match again.
    if (found_here && !child.captures) break;
    if (child.is_next && nodes_[sibling].is_named) break;
    sibling = nodes_[last].past;
  }
  const bool may_lack =
      child.quantifier == Quantifier::kOptional || child.quantifier == Quantifier::kAny;
  if (!found && may_lack) found = children(test, i + 1, at, end, rest);
  return found;
}

// A run of siblings that stand side by side, the longest that leads to a match. `at` becomes the
// last of the run.
bool Matcher::repeated(
    const NodeTest& test, std::size_t i, std::uint32_t& at, std::uint32_t end, Rest rest) {
  const ChildTest& child = test.children[i];
  struct Step {
    std::uint32_t sibling;
    std::size_t n_captured;
  };
  std::vector<Step> run;
  const std::size_t n_captured = captured_.size();
  for (std::uint32_t sibling = at; sibling < end; sibling = nodes_[sibling].past) {
    if (!first_way(child, sibling)) break;
    run.push_back({sibling, captured_.size()});
    at = sibling;
  }
  bool found = false;
  for (std::size_t length = run.size(); length > 0 && !found; --length) {
    const Step& step = run[length - 1];
    if (child.is_last && !fits(child, step.sibling, end)) continue;
    captured_.resize(step.n_captured);
    found = children(test, i + 1, nodes_[step.sibling].past, end, rest);
  }
  captured_.resize(n_captured);
  return found;
}

// Leaves the captures of the first way in which the node fits.
bool Matcher::first_way(const ChildTest& test, std::uint32_t at) {
  if (test.field != 0 && nodes_[at].field != test.field) return false;
  std::vector<Captured> way;
  bool found = false;
  const auto n_captured = static_cast<std::ptrdiff_t>(captured_.size());
  for (const NodeTest& alternative : test.alternatives) {
    node(alternative, at, [&] {
      if (!std::exchange(found, true)) way.assign(captured_.begin() + n_captured, captured_.end());
      return true;
    });
    if (found) break;
  }
  captured_.insert(captured_.end(), way.begin(), way.end());
  return found;
}

bool Matcher::fits(const ChildTest& test, std::uint32_t at, std::uint32_t end) const {
  if (test.field != 0 && nodes_[at].field != test.field) return false;
  if (!test.is_last) return true;
  for (std::uint32_t later = nodes_[at].past; later < end; later = nodes_[later].past) {
    if (nodes_[later].is_named) return false;
  }
  return true;
}

}  // namespace kinglet::indexer
