// Numbers and integers: minimum, maximum, exclusiveMinimum, exclusiveMaximum.
#include <cmath>

#include "inference/grammar/json_schema/rules.h"
#include "inference/grammar/json_values.h"

namespace kinglet::inference::grammar::json_schema {
namespace {

/// Limits lie within what add_bounded_number writes where there is none.
constexpr std::int64_t kMostInteger = 999'999'999'999'999;
constexpr std::int64_t kMostNumber = 1'000'000'000;

Result<NumberLimits> limits_of(const Schema& schema, std::int64_t most) {
  NumberLimits limits;
  for (const std::string_view keyword : number_keywords()) {
    const Json* value = schema.find(keyword);
    if (value == nullptr) continue;
    const std::string quoted = "'" + std::string(keyword) + "'";
    if (!value->is_number()) return bad(schema, quoted + " is no number");
    const auto decimal = parse_decimal(value->dump());
    if (!decimal || std::abs(value->get<double>()) > static_cast<double>(most)) {
      return bad(schema,
                 quoted + " of " + value->dump() +
                     ": limits have at most 9 decimals and lie within " + std::to_string(most),
                 ErrorCode::kUnsupported);
    }
    const Bound bound = {*decimal, keyword.starts_with("exclusive")};
    const bool is_least = keyword.find("inimum") != std::string_view::npos;
    auto& limit = is_least ? limits.least : limits.most;
    if (!limit) {
      limit = bound;
      continue;
    }
    // The narrower one; of equals the exclusive one, which comes second in the table.
    const double old_value =
        static_cast<double>(limit->value.digits) / std::pow(10.0, limit->value.n_decimals);
    const double new_value = value->get<double>();
    if (is_least ? new_value >= old_value : new_value <= old_value) limit = bound;
  }
  return limits;
}

}  // namespace

Result<std::uint32_t> number_rule(Rules& rules, const Schema& schema, NumberKind kind) {
  const bool is_integer = kind == NumberKind::kInteger;
  const NumberLimits limits = TRY(limits_of(schema, is_integer ? kMostInteger : kMostNumber));
  if (limits.least || limits.most) {
    return rules.add(schema.path, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      add_bounded_number(nfa, start, end, limits, is_integer);
      return {};
    });
  }
  const auto add_any = is_integer ? add_integer : add_number;
  return rules.shared(is_integer ? "an integer" : "a number",
                      [add_any](Nfa& nfa, StateId start, StateId end) -> Result<void> {
                        add_any(nfa, start, end);
                        return {};
                      });
}

}  // namespace kinglet::inference::grammar::json_schema
