// Objects: properties in the schema's order, required, additionalProperties.
#include <map>
#include <set>
#include <span>
#include <utility>

#include "inference/grammar/json_schema/rules.h"

namespace kinglet::inference::grammar::json_schema {
namespace {

struct Property {
  std::string name;
  std::uint32_t rule = 0;
  bool is_required = false;
};

struct Members {
  std::vector<Property> properties;
  std::set<std::string> names;       // of the properties
  const Json* additional = nullptr;  // the schema of all others; null: there are none
};

/// A property that is required and not declared is an additional one.
Result<Members> members_of(Rules& rules, const Schema& schema) {
  static const Json kAnything = true;
  Members members;
  members.additional = schema.find("additionalProperties");
  if (const Json* declared = schema.find("properties")) {
    if (!declared->is_object()) return bad(schema, "'properties' is no object");
    for (const auto& [name, value] : declared->items()) {
      const std::string path = schema.path + "/properties/" + pointer_token(name);
      members.properties.push_back({name, rules.rule_of({&value, path}), false});
      members.names.insert(name);
    }
  } else if (members.additional == nullptr) {
    members.additional = &kAnything;
  }
  const Json* required = schema.find("required");
  if (required == nullptr) return members;
  if (!required->is_array()) return bad(schema, "'required' is no list");
  if (required->size() > kMaxMembers) {
    return bad(schema, "'required' has more than " + std::to_string(kMaxMembers) + " names");
  }
  for (const Json& name : *required) {
    if (!name.is_string()) return bad(schema, "'required' holds what is no name");
    const auto text = name.get<std::string>();
    if (members.names.insert(text).second) {
      const Json* other = members.additional == nullptr ? &kAnything : members.additional;
      const std::uint32_t rule = rules.rule_of({other, schema.path + "/additionalProperties"});
      members.properties.push_back({text, rule, true});
    }
    for (Property& property : members.properties)
      property.is_required |= property.name == text;
  }
  return members;
}

/// The code points of a JSON string's value: UTF-8 that the library has checked.
std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = n == 1 ? lead : lead & (0x7fU >> n);
    for (std::size_t k = 1; k < n; ++k)
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    points.push_back(point);
    i += n;
  }
  return points;
}

/// A key that is none of these; without escapes, so that it cannot be one in disguise.
StateId add_other_key(Nfa& nfa, StateId from, const std::set<std::string>& names) {
  const std::vector<Range> characters = {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCodePoint}};
  const StateId end = nfa.add_state();
  const StateId other = nfa.add_state();  // no name begins so
  nfa.utf8(other, other, characters);
  nfa.range(other, end, {'"', '"'});
  struct Node {
    StateId state;
    std::map<std::uint32_t, std::size_t> children;
    bool is_name = false;
  };
  std::vector<Node> tree = {{nfa.literal(from, "\""), {}, true}};  // an empty key helps nobody
  for (const std::string& name : names) {
    std::size_t node = 0;
    for (const std::uint32_t point : code_points(name)) {
      const auto [entry, is_new] = tree[node].children.try_emplace(point, tree.size());
      const std::size_t child = entry->second;
      if (is_new) tree.push_back({nfa.add_state(), {}, false});
      node = child;
    }
    tree[node].is_name = true;
  }
  for (const Node& node : tree) {
    std::vector<Range> taken;
    for (const auto& [point, child] : node.children) {
      taken.push_back({point, point});
      const bool is_plain = point >= 0x20 && point != '"' && point != '\\';
      if (is_plain) nfa.utf8(node.state, tree[child].state, std::span(&taken.back(), 1));
    }
    nfa.utf8(node.state, other, subtract(characters, normalize(taken)));
    if (!node.is_name) nfa.range(node.state, end, {'"', '"'});
  }
  return end;
}

}  // namespace

Result<std::uint32_t> object_rule(Rules& rules, const Schema& schema) {
  const Members members = TRY(members_of(rules, schema));
  return rules.add(schema.path, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
    const std::uint32_t white = TRY(rules.white_space());
    // Two lanes: nothing was written yet, or something was, and the next needs a comma.
    StateId fresh = TRY(rules.spaced(nfa, start, "{"));
    StateId begun = nfa.add_state();
    const auto add_key = [&]() -> Result<StateId> {
      const StateId key = nfa.add_state();
      nfa.epsilon(fresh, key);
      const StateId comma = TRY(rules.spaced(nfa, begun, ","));
      nfa.epsilon(comma, key);
      return key;
    };
    const auto add_value = [&](StateId from, std::uint32_t value, StateId to) -> Result<void> {
      const StateId before = TRY(rules.spaced(nfa, from, ":"));
      const StateId behind = nfa.add_state();
      nfa.call(before, behind, value);
      nfa.call(behind, to, white);
      return {};
    };
    for (const Property& property : members.properties) {
      const StateId key = TRY(add_key());
      const StateId next = nfa.add_state();
      TRY(add_value(nfa.literal(key, Json(property.name).dump()), property.rule, next));
      if (property.is_required) {
        fresh = nfa.add_state();  // nobody comes here
      } else {
        nfa.epsilon(begun, next);
      }
      begun = next;
    }
    if (members.additional != nullptr && *members.additional != Json(false)) {
      const StateId key = TRY(add_key());
      const std::uint32_t value =
          rules.rule_of({members.additional, schema.path + "/additionalProperties"});
      TRY(add_value(add_other_key(nfa, key, members.names), value, begun));
    }
    nfa.range(fresh, end, {'}', '}'});
    nfa.range(begun, end, {'}', '}'});
    return {};
  });
}

}  // namespace kinglet::inference::grammar::json_schema
