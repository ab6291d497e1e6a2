#include "inference/grammar/json_schema/rules.h"

#include <utility>

namespace kinglet::inference::grammar::json_schema {
namespace {

constexpr std::size_t kMostIndent = 20;

}  // namespace

std::uint32_t Rules::rule_of(const Schema& schema) {
  const auto [entry, is_new] = rules_.try_emplace(schema.json);
  if (is_new) {
    entry->second = builder_.declare(schema.path);
    queue_.push_back({schema, entry->second});
  }
  return entry->second;
}

std::optional<Rules::Pending> Rules::next() {
  if (queue_.empty()) return std::nullopt;
  Pending pending = std::move(queue_.front());
  queue_.pop_front();
  return pending;
}

Result<void> Rules::define(std::uint32_t rule, const Body& body) {
  Nfa nfa;
  const StateId start = nfa.add_state();
  const StateId end = nfa.add_state();
  TRY(body(nfa, start, end));
  return builder_.define(rule, nfa, {start, end, 0, static_cast<StateId>(nfa.size())});
}

Result<std::uint32_t> Rules::add(const std::string& name, const Body& body, const Counts& counts) {
  const std::uint32_t rule = builder_.declare(name);
  builder_.set_counter(rule, counts.least, counts.most.value_or(kNoLimit));
  TRY(define(rule, body));
  return rule;
}

Result<std::uint32_t> Rules::shared(const std::string& name, const Body& body) {
  const auto known = shared_.find(name);
  if (known != shared_.end()) return known->second;
  const std::uint32_t rule = TRY(add(name, body));
  shared_.emplace(name, rule);
  return rule;
}

Result<std::uint32_t> Rules::white_space() {
  return shared("white space", [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
    nfa.epsilon(start, end);
    nfa.range(start, end, {' ', ' '});
    StateId at = nfa.literal(start, "\n");
    for (std::size_t i = 0; i < kMostIndent; ++i) {
      nfa.epsilon(at, end);
      const StateId next = nfa.add_state();
      nfa.range(at, next, {' ', ' '});
      nfa.range(at, next, {'\t', '\t'});
      at = next;
    }
    nfa.epsilon(at, end);
    return {};
  });
}

Result<StateId> Rules::spaced(Nfa& nfa, StateId from, std::string_view text) {
  const StateId behind = nfa.add_state();
  nfa.call(nfa.literal(from, text), behind, TRY(white_space()));
  return behind;
}

Result<Machine> Rules::finish(std::uint32_t root) && {
  return std::move(builder_).finish(root);
}

}  // namespace kinglet::inference::grammar::json_schema
