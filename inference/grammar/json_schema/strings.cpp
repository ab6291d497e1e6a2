// Strings: minLength, maxLength, pattern.
#include "inference/grammar/json_schema/rules.h"
#include "inference/grammar/json_values.h"
#include "inference/grammar/pattern.h"

namespace kinglet::inference::grammar::json_schema {
namespace {

Result<void> add_any(Nfa& nfa, StateId start, StateId end) {
  add_string(nfa, start, end);
  return {};
}

}  // namespace

Result<std::uint32_t> string_rule(Rules& rules, const Schema& schema) {
  const Counts lengths = TRY(counts_of(schema, "minLength", "maxLength"));
  const Json* pattern = schema.find("pattern");
  if (pattern == nullptr) {
    const bool is_any = lengths.least == 0 && !lengths.most;
    return is_any ? rules.shared("a string", add_any) : rules.add(schema.path, add_any, lengths);
  }
  if (!pattern->is_string()) return bad(schema, "'pattern' is no string");
  const auto automaton = compile_pattern(pattern->get<std::string>());
  if (!automaton) {
    return bad(schema, "'pattern': " + automaton.error().message, automaton.error().code);
  }
  auto rule = rules.add(schema.path, [&](Nfa& nfa, StateId start, StateId end) {
    return add_pattern_string(nfa, start, end, *automaton, lengths.least, lengths.most);
  });
  // What takes too many states names its rule, which is this place.
  if (!rule && !rule.error().message.starts_with(schema.path + ": ")) {
    return bad(schema, rule.error().message, rule.error().code);
  }
  return rule;
}

}  // namespace kinglet::inference::grammar::json_schema
