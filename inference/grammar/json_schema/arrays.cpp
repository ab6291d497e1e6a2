// Arrays: items, prefixItems, additionalItems, minItems, maxItems.
#include <algorithm>

#include "inference/grammar/json_schema/rules.h"

namespace kinglet::inference::grammar::json_schema {

Result<std::uint32_t> array_rule(Rules& rules, const Schema& schema) {
  static const Json kAnything = true;
  const Counts counts = TRY(counts_of(schema, "minItems", "maxItems"));
  // The list of the first items and the schema of the rest have had several names.
  const Json* first = schema.find("prefixItems");
  const char* first_name = "/prefixItems/";
  const Json* rest = schema.find("items");
  std::string rest_path = schema.path + "/items";
  if (rest != nullptr && rest->is_array()) {
    first = rest;
    first_name = "/items/";
    rest = schema.find("additionalItems");
    rest_path = schema.path + "/additionalItems";
  }
  if (first != nullptr && !first->is_array()) return bad(schema, "'prefixItems' is no list");
  if (rest == nullptr) rest = &kAnything;
  const std::size_t n_first =
      std::min<std::size_t>(first == nullptr ? 0 : first->size(), counts.most.value_or(kNoLimit));
  const auto n = static_cast<std::uint32_t>(n_first);

  // What the counter counts are the items behind the first ones.
  Counts more = {.least = counts.least - std::min(counts.least, n), .most = {}};
  if (counts.most) more.most = *counts.most - n;
  const auto add = [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
    const std::uint32_t white = TRY(rules.white_space());
    StateId at = TRY(rules.spaced(nfa, start, "["));
    for (std::size_t i = 0; i < n_first; ++i) {
      if (i >= counts.least) nfa.range(at, end, {']', ']'});
      if (i > 0) at = TRY(rules.spaced(nfa, at, ","));
      const StateId behind = nfa.add_state();
      const StateId next = nfa.add_state();
      nfa.call(
          at, behind, rules.rule_of({&(*first)[i], schema.path + first_name + std::to_string(i)}));
      nfa.call(behind, next, white);
      at = next;
    }
    nfa.range(at, end, {']', ']'}, Effect::kEnough);
    const std::uint32_t items = rules.rule_of({rest, rest_path});
    const StateId behind_item = nfa.add_state();
    const StateId behind = nfa.add_state();
    nfa.call(behind_item, behind, white);
    // A comma promises an item: it counts. The first item has none before it.
    const StateId comma = nfa.add_state();
    const StateId item = nfa.add_state();
    nfa.call(comma, item, white);
    nfa.call(item, behind_item, items);
    nfa.range(behind, comma, {',', ','}, Effect::kCount);
    nfa.range(behind, end, {']', ']'}, Effect::kEnough);
    if (n_first == 0) {
      nfa.call(at, behind_item, items, Effect::kCount);
    } else {
      nfa.range(at, comma, {',', ','}, Effect::kCount);
    }
    return {};
  };
  return rules.add(schema.path, add, more);
}

}  // namespace kinglet::inference::grammar::json_schema
