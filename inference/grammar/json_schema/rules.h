// The rules that a document's schemas become, and the schemas that still wait to become one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/result.h"
#include "inference/grammar/json_schema/schema.h"
#include "inference/grammar/machine.h"
#include "inference/grammar/nfa.h"

namespace kinglet::inference::grammar::json_schema {

class Rules {
 public:
  /// Adds what a rule reads between two states.
  using Body = std::function<Result<void>(Nfa& nfa, StateId start, StateId end)>;

  /// The rule that a schema becomes; a schema first heard of joins the queue. So a rule can be
  /// called however deep its schema lies, and a schema can refer to itself.
  std::uint32_t rule_of(const Schema& schema);

  struct Pending {
    Schema schema;
    std::uint32_t rule;
  };
  /// The next schema of the queue, whose rule is to be defined; nothing when it is empty.
  std::optional<Pending> next();

  Result<void> define(std::uint32_t rule, const Body& body);
  /// A rule beside those of the queue, and what its counter must reach.
  Result<std::uint32_t> add(const std::string& name, const Body& body, const Counts& counts = {});
  /// One that all schemas share, made when it is first asked for.
  Result<std::uint32_t> shared(const std::string& name, const Body& body);

  /// Nothing, a space, or a line end with some indentation.
  Result<std::uint32_t> white_space();
  /// A state behind the text and white space after it.
  Result<StateId> spaced(Nfa& nfa, StateId from, std::string_view text);

  /// As MachineBuilder::finish.
  Result<Machine> finish(std::uint32_t root) &&;

 private:
  MachineBuilder builder_;
  std::unordered_map<const Json*, std::uint32_t> rules_;
  std::deque<Pending> queue_;
  std::map<std::string, std::uint32_t> shared_;
};

enum class NumberKind : std::uint8_t { kNumber, kInteger };

/// Rules for the values of one type that a schema accepts; `true` and schemas without a constraint
/// of that type accept all of them. Errors: as compile_json_schema's.
Result<std::uint32_t> string_rule(Rules& rules, const Schema& schema);
Result<std::uint32_t> number_rule(Rules& rules, const Schema& schema, NumberKind kind);
Result<std::uint32_t> array_rule(Rules& rules, const Schema& schema);
Result<std::uint32_t> object_rule(Rules& rules, const Schema& schema);

}  // namespace kinglet::inference::grammar::json_schema
