#include "inference/grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inference/grammar/json_schema/rules.h"
#include "inference/grammar/json_schema/schema.h"

namespace kinglet::inference::grammar {
namespace {

using json_schema::Json;
using json_schema::kMaxMembers;
using json_schema::NumberKind;
using json_schema::Rules;
using json_schema::Schema;

constexpr std::size_t kMaxNesting = 200;

/// What of a text is too much for the library: deep ones make its recursion deep, and it looks for
/// each member of an object among all before it. Empty when nothing is.
std::string find_excess(std::string_view text) {
  struct Open {
    bool is_object;
    std::size_t n_commas = 0;
  };
  std::vector<Open> open;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      open.push_back({c == '{'});
      if (open.size() > kMaxNesting) {
        return "the schema is nested more than " + std::to_string(kMaxNesting) + " deep";
      }
    } else if (open.empty()) {
      continue;
    } else if (c == ']' || c == '}') {
      open.pop_back();
    } else if (c == ',' && open.back().is_object && ++open.back().n_commas == kMaxMembers) {
      return "an object of the schema has more than " + std::to_string(kMaxMembers) + " members";
    }
  }
  return {};
}

std::string type_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_string()) return "string";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  if (value.is_number_float() && value.get<double>() != std::floor(value.get<double>())) {
    return "number";
  }
  return "integer";
}

/// The values of `enum` or `const`, those of the right type if one is given.
Result<std::vector<Json>> values_of(const Schema& schema) {
  const Json* all = schema.find("enum");
  const Json* one = schema.find("const");
  std::vector<Json> values;
  if (all != nullptr) {
    if (!all->is_array()) return bad(schema, "'enum' is no list");
    values.assign(all->begin(), all->end());
  } else {
    values.push_back(*one);
  }
  if (all != nullptr && one != nullptr) {
    std::erase_if(values, [&](const Json& value) { return value != *one; });
  }
  if (schema.find("type") != nullptr) {
    const std::vector<std::string> types = TRY(types_of(schema));
    std::erase_if(values, [&](const Json& value) {
      const std::string type = type_of(value);
      return std::none_of(types.begin(), types.end(), [&](const std::string& allowed) {
        return allowed == type || (allowed == "number" && type == "integer");
      });
    });
  }
  if (values.empty()) return bad(schema, "no value of 'enum' is accepted");
  return values;
}

class Compiler {
 public:
  explicit Compiler(const Json& document) : document_(document) {}

  Result<Machine> compile() {
    const std::uint32_t root = rules_.rule_of({&document_, "#"});
    // Each schema is one rule; what it holds joins the queue, however deep it lies.
    while (const auto pending = rules_.next()) {
      TRY(compile(pending->schema, pending->rule));
    }
    return std::move(rules_).finish(root);
  }

 private:
  Result<void> compile(const Schema& schema, std::uint32_t rule) {
    if (schema.json->is_boolean()) {
      const bool is_any = schema.json->get<bool>();
      return compile_types(
          schema, rule, is_any ? json_schema::all_types() : std::vector<std::string>());
    }
    if (!schema.json->is_object()) return bad(schema, "a schema is an object, true or false");
    const std::vector<std::string> constraints = TRY(constraints_of(schema));
    for (const std::string alone : {"$ref", "anyOf", "allOf"}) {
      if (schema.find(alone) == nullptr) continue;
      if (constraints.size() > 1) {
        const std::string& other = constraints[constraints[0] == alone ? 1 : 0];
        return bad(schema,
                   "'" + alone + "' beside '" + other + "' is not supported",
                   ErrorCode::kUnsupported);
      }
      return alone == "$ref" ? compile_reference(schema, rule)
                             : compile_choice(schema, rule, alone);
    }
    if (schema.find("enum") != nullptr || schema.find("const") != nullptr) {
      for (const std::string& other : constraints) {
        if (other == "type" || other == "enum" || other == "const") continue;
        return bad(schema,
                   "'" + other + "' beside 'enum' or 'const' is not supported",
                   ErrorCode::kUnsupported);
      }
      return compile_values(schema, rule);
    }
    return compile_types(schema, rule, TRY(types_of(schema)));
  }

  Result<void> compile_reference(const Schema& schema, std::uint32_t rule) {
    const std::uint32_t target = rules_.rule_of(TRY(resolve(schema, document_)));
    return rules_.define(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      nfa.call(start, end, target);
      return {};
    });
  }

  Result<void> compile_choice(const Schema& schema,
                              std::uint32_t rule,
                              const std::string& keyword) {
    const Json& list = *schema.find(keyword);
    if (!list.is_array() || list.empty()) {
      return bad(schema, "'" + keyword + "' is no list of schemas");
    }
    if (keyword == "allOf" && list.size() > 1) {
      return bad(schema, "'allOf' of several is not supported", ErrorCode::kUnsupported);
    }
    // The same schema once more adds no text, only another way to read the same ones.
    std::set<std::string> seen;
    return rules_.define(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (!seen.insert(list[i].dump()).second) continue;
        const std::string path = schema.path + "/" + keyword + "/" + std::to_string(i);
        nfa.call(start, end, rules_.rule_of({&list[i], path}));
      }
      return {};
    });
  }

  Result<void> compile_values(const Schema& schema, std::uint32_t rule) {
    const std::vector<Json> values = TRY(values_of(schema));
    return rules_.define(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      for (const Json& value : values)
        nfa.epsilon(nfa.literal(start, value.dump()), end);
      return {};
    });
  }

  Result<void> compile_types(const Schema& schema,
                             std::uint32_t rule,
                             const std::vector<std::string>& types) {
    return rules_.define(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      for (const std::string& type : types) {
        if (type == "null") {
          nfa.epsilon(nfa.literal(start, "null"), end);
        } else if (type == "boolean") {
          nfa.epsilon(nfa.literal(start, "true"), end);
          nfa.epsilon(nfa.literal(start, "false"), end);
        } else {
          nfa.call(start, end, TRY(rule_of_type(schema, type)));
        }
      }
      return {};
    });
  }

  Result<std::uint32_t> rule_of_type(const Schema& schema, const std::string& type) {
    if (type == "string") return string_rule(rules_, schema);
    if (type == "array") return array_rule(rules_, schema);
    if (type == "object") return object_rule(rules_, schema);
    return number_rule(
        rules_, schema, type == "integer" ? NumberKind::kInteger : NumberKind::kNumber);
  }

  const Json& document_;
  Rules rules_;
};

}  // namespace

Result<Machine> compile_json_schema(std::string_view schema) {
  if (schema.size() > kMaxSchemaBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "a schema of " + std::to_string(schema.size()) + " bytes; at most " +
                    std::to_string(kMaxSchemaBytes) + " are read");
  }
  if (std::string excess = find_excess(schema); !excess.empty()) {
    return fail(ErrorCode::kInvalidArgument, std::move(excess));
  }
  const Json document = Json::parse(schema, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::kInvalidArgument, "the schema is no JSON");
  return Compiler(document).compile();
}

}  // namespace kinglet::inference::grammar
