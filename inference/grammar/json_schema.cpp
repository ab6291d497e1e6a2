#include "inference/grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "inference/grammar/json_values.h"

namespace kinglet::inference::grammar {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxNesting = 200;
constexpr std::uint32_t kMaxLength = 1U << 30;
constexpr std::size_t kMostIndent = 20;

/// Keywords that say nothing about which values are accepted.
constexpr std::string_view kAnnotations[] = {"$schema",
                                             "$id",
                                             "$comment",
                                             "$defs",
                                             "definitions",
                                             "title",
                                             "description",
                                             "default",
                                             "examples",
                                             "deprecated",
                                             "readOnly",
                                             "writeOnly",
                                             "format",
                                             "contentEncoding",
                                             "contentMediaType"};
constexpr std::string_view kObjectKeywords[] = {"properties", "required", "additionalProperties"};
constexpr std::string_view kArrayKeywords[] = {
    "items", "prefixItems", "additionalItems", "minItems", "maxItems"};
constexpr std::string_view kStringKeywords[] = {"minLength", "maxLength", "pattern"};
constexpr std::string_view kNumberKeywords[] = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};

template <std::size_t n>
bool is_one_of(std::string_view word, const std::string_view (&list)[n]) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

/// Deeper texts would make the library's own recursion deep.
bool is_too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// One token of a JSON pointer, as it is written in a path.
std::string pointer_token(std::string_view name) {
  std::string token;
  for (const char c : name)
    token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return token;
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

class Compiler {
 public:
  explicit Compiler(const Json& document) : document_(document) {}

  Result<Machine> compile() {
    const std::uint32_t root = rule_of(document_, "#");
    // Each schema is one rule; what it holds joins the queue, however deep it lies.
    while (!queue_.empty()) {
      const Task task = queue_.front();
      queue_.pop_front();
      TRY(compile(task));
    }
    return std::move(builder_).finish(root);
  }

 private:
  struct Task {
    const Json* schema;
    std::string path;
    std::uint32_t rule;
  };

  std::uint32_t rule_of(const Json& schema, const std::string& path) {
    const auto [entry, is_new] = rules_.try_emplace(&schema);
    if (is_new) {
      entry->second = builder_.declare(path);
      queue_.push_back({&schema, path, entry->second});
    }
    return entry->second;
  }

  static tl::unexpected<Error> bad(const std::string& path,
                                   const std::string& what,
                                   ErrorCode code = ErrorCode::kInvalidArgument) {
    return fail(code, path + ": " + what);
  }

  /// One rule of `add(nfa, start, end)`.
  template <class Add>
  Result<void> define(std::uint32_t rule, Add add) {
    Nfa nfa;
    const StateId start = nfa.add_state();
    const StateId end = nfa.add_state();
    Result<void> added = add(nfa, start, end);
    if (!added) return added;
    return builder_.define(rule, nfa, {start, end, 0, static_cast<StateId>(nfa.size())});
  }

  template <class Add>
  Result<std::uint32_t> defined(std::uint32_t rule, Add add) {
    TRY(define(rule, add));
    return rule;
  }

  /// A rule that all schemas share, made when it is first asked for.
  template <class Add>
  Result<std::uint32_t> shared(std::optional<std::uint32_t>& rule, const char* name, Add add) {
    if (!rule) {
      rule = builder_.declare(name);
      TRY(define(*rule, add));
    }
    return *rule;
  }

  /// Nothing, a space, or a line end with some indentation.
  Result<std::uint32_t> space() {
    return shared(space_, "white space", [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
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

  Result<std::uint32_t> any_string() {
    return shared(string_, "a string", [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      add_string(nfa, start, end);
      return {};
    });
  }

  Result<std::uint32_t> any_number() {
    return shared(number_, "a number", [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      add_number(nfa, start, end);
      return {};
    });
  }

  Result<std::uint32_t> any_integer() {
    return shared(integer_, "an integer", [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      add_integer(nfa, start, end);
      return {};
    });
  }

  /// A state behind the text and white space after it.
  Result<StateId> spaced(Nfa& nfa, StateId from, std::string_view text) {
    const StateId behind = nfa.add_state();
    nfa.call(nfa.literal(from, text), behind, TRY(space()));
    return behind;
  }

  Result<void> compile(const Task& task) {
    const Json& schema = *task.schema;
    if (schema.is_boolean()) {
      return define(task.rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
        if (schema.get<bool>()) return add_types(task, all_types(), nfa, start, end);
        return {};
      });
    }
    if (!schema.is_object()) return bad(task.path, "a schema is an object, true or false");
    std::vector<std::string> constraints;
    for (const auto& [keyword, value] : schema.items()) {
      if (is_one_of(keyword, kAnnotations) || keyword.starts_with("x-")) continue;
      const bool is_known =
          is_one_of(keyword, kObjectKeywords) || is_one_of(keyword, kArrayKeywords) ||
          is_one_of(keyword, kStringKeywords) || is_one_of(keyword, kNumberKeywords) ||
          keyword == "type" || keyword == "enum" || keyword == "const" || keyword == "$ref" ||
          keyword == "anyOf" || keyword == "allOf";
      if (!is_known) {
        return bad(task.path, "'" + keyword + "' is not supported", ErrorCode::kUnsupported);
      }
      constraints.push_back(keyword);
    }
    for (const std::string alone : {"$ref", "anyOf", "allOf"}) {
      if (!schema.contains(alone)) continue;
      if (constraints.size() > 1) {
        const bool is_first = constraints[0] == alone;
        return bad(
            task.path,
            "'" + alone + "' beside '" + constraints[is_first ? 1 : 0] + "' is not supported",
            ErrorCode::kUnsupported);
      }
      return alone == "$ref" ? compile_reference(task) : compile_choice(task, alone);
    }
    if (schema.contains("enum") || schema.contains("const")) return compile_values(task);
    std::vector<std::string> types = TRY(types_of(task));
    return define(task.rule, [&](Nfa& nfa, StateId start, StateId end) {
      return add_types(task, types, nfa, start, end);
    });
  }

  Result<void> compile_reference(const Task& task) {
    const Json& reference = (*task.schema)["$ref"];
    if (!reference.is_string()) return bad(task.path, "'$ref' is no string");
    const std::string text = reference.get<std::string>();
    if (!text.starts_with('#')) {
      return bad(task.path,
                 "'$ref' to '" + text + "': only this document can be referred to",
                 ErrorCode::kUnsupported);
    }
    const Json* target = &document_;
    std::string path = text.substr(1);
    if (!path.empty() && path.front() != '/') {
      return bad(task.path,
                 "'$ref' to the anchor '" + text + "' is not supported",
                 ErrorCode::kUnsupported);
    }
    while (!path.empty()) {
      const std::size_t end = std::min(path.find('/', 1), path.size());
      const std::string token = unescape(std::string_view(path).substr(1, end - 1));
      path.erase(0, end);
      const bool is_index = target->is_array() && !token.empty() && token.size() < 7 &&
                            token.find_first_not_of("0123456789") == std::string::npos &&
                            std::stoul(token) < target->size();
      if (is_index) {
        target = &(*target)[std::stoul(token)];
      } else if (target->is_object() && target->contains(token)) {
        target = &(*target)[token];
      } else {
        return bad(task.path, "'$ref' to '" + text + "': there is no such place");
      }
    }
    const std::uint32_t rule = rule_of(*target, text);
    return define(task.rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      nfa.call(start, end, rule);
      return {};
    });
  }

  /// Of a pointer in a URI fragment.
  static std::string unescape(std::string_view token) {
    std::string text;
    for (std::size_t i = 0; i < token.size(); ++i) {
      if (token[i] == '%' && i + 2 < token.size()) {
        text += static_cast<char>(
            std::strtol(std::string(token.substr(i + 1, 2)).c_str(), nullptr, 16));
        i += 2;
      } else if (token[i] == '~' && i + 1 < token.size()) {
        text += token[++i] == '1' ? '/' : '~';
      } else {
        text += token[i];
      }
    }
    return text;
  }

  Result<void> compile_choice(const Task& task, const std::string& keyword) {
    const Json& list = (*task.schema)[keyword];
    if (!list.is_array() || list.empty()) {
      return bad(task.path, "'" + keyword + "' is no list of schemas");
    }
    if (keyword == "allOf" && list.size() > 1) {
      return bad(task.path, "'allOf' of several is not supported", ErrorCode::kUnsupported);
    }
    return define(task.rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string path = task.path + "/" + keyword + "/" + std::to_string(i);
        nfa.call(start, end, rule_of(list[i], path));
      }
      return {};
    });
  }

  Result<void> compile_values(const Task& task) {
    const Json& schema = *task.schema;
    for (const auto& [keyword, value] : schema.items()) {
      if (is_one_of(keyword, kAnnotations) || keyword.starts_with("x-") || keyword == "type" ||
          keyword == "enum" || keyword == "const") {
        continue;
      }
      return bad(task.path,
                 "'" + keyword + "' beside 'enum' or 'const' is not supported",
                 ErrorCode::kUnsupported);
    }
    std::vector<Json> values;
    if (schema.contains("enum")) {
      if (!schema["enum"].is_array()) return bad(task.path, "'enum' is no list");
      values.assign(schema["enum"].begin(), schema["enum"].end());
    } else {
      values.push_back(schema["const"]);
    }
    if (schema.contains("enum") && schema.contains("const")) {
      std::erase_if(values, [&](const Json& value) { return value != schema["const"]; });
    }
    if (schema.contains("type")) {
      const std::vector<std::string> types = TRY(types_of(task));
      std::erase_if(values, [&](const Json& value) {
        const std::string type = type_of(value);
        return std::none_of(types.begin(), types.end(), [&](const std::string& allowed) {
          return allowed == type || (allowed == "number" && type == "integer");
        });
      });
    }
    if (values.empty()) return bad(task.path, "no value of 'enum' is accepted");
    return define(task.rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      for (const Json& value : values)
        nfa.epsilon(nfa.literal(start, value.dump()), end);
      return {};
    });
  }

  static std::string type_of(const Json& value) {
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

  static std::vector<std::string> all_types() {
    return {"null", "boolean", "number", "string", "array", "object"};
  }

  /// Without `type`, the one that the other keywords speak of: values of other types would be
  /// accepted, too, and are hardly meant.
  static Result<std::vector<std::string>> types_of(const Task& task) {
    const Json& schema = *task.schema;
    if (!schema.contains("type")) {
      std::vector<std::string> types;
      const auto add = [&](const char* type, auto& keywords) {
        for (const auto& [keyword, value] : schema.items()) {
          if (is_one_of(keyword, keywords)) return types.emplace_back(type), void();
        }
      };
      add("object", kObjectKeywords);
      add("array", kArrayKeywords);
      add("string", kStringKeywords);
      add("number", kNumberKeywords);
      return types.empty() ? all_types() : types;
    }
    const Json list = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    std::vector<std::string> types;
    for (const Json& type : list) {
      const std::string name = type.is_string() ? type.get<std::string>() : type.dump();
      const std::vector<std::string> known = all_types();
      if (name != "integer" && std::find(known.begin(), known.end(), name) == known.end()) {
        return bad(task.path, "there is no type '" + name + "'");
      }
      types.push_back(name);
    }
    return types;
  }

  Result<void> add_types(const Task& task,
                         const std::vector<std::string>& types,
                         Nfa& nfa,
                         StateId start,
                         StateId end) {
    for (const std::string& type : types) {
      std::uint32_t rule = 0;
      if (type == "null") {
        nfa.epsilon(nfa.literal(start, "null"), end);
        continue;
      }
      if (type == "boolean") {
        nfa.epsilon(nfa.literal(start, "true"), end);
        nfa.epsilon(nfa.literal(start, "false"), end);
        continue;
      }
      if (type == "integer" || type == "number") rule = TRY(number_rule(task, type == "integer"));
      if (type == "string") rule = TRY(string_rule(task));
      if (type == "array") rule = TRY(array_rule(task));
      if (type == "object") rule = TRY(object_rule(task));
      nfa.call(start, end, rule);
    }
    return {};
  }

  /// A number of a keyword that counts something.
  static Result<std::optional<std::uint32_t>> count_of(const Task& task, const char* keyword) {
    if (!task.schema->is_object() || !task.schema->contains(keyword)) return std::nullopt;
    const Json& value = (*task.schema)[keyword];
    const bool is_count = value.is_number() && value.get<double>() >= 0 &&
                          value.get<double>() == std::floor(value.get<double>());
    if (!is_count) return bad(task.path, std::string("'") + keyword + "' is no count");
    return static_cast<std::uint32_t>(std::min<double>(value.get<double>(), kMaxLength));
  }

  struct Counts {
    std::uint32_t least = 0;
    std::optional<std::uint32_t> most;
  };
  static Result<Counts> counts_of(const Task& task, const char* least, const char* most) {
    Counts counts;
    const auto given = TRY(count_of(task, least));
    counts.least = given.value_or(0);
    counts.most = TRY(count_of(task, most));
    if (counts.most && *counts.most < counts.least) {
      return bad(task.path,
                 std::string("cannot be satisfied: '") + most + "' is less than '" + least + "'");
    }
    return counts;
  }

  Result<std::uint32_t> string_rule(const Task& task) {
    const Counts lengths = TRY(counts_of(task, "minLength", "maxLength"));
    const bool has_pattern = task.schema->is_object() && task.schema->contains("pattern");
    if (!has_pattern && lengths.least == 0 && !lengths.most) return any_string();
    const std::uint32_t rule = builder_.declare(task.path);
    if (!has_pattern) {
      builder_.set_counter(rule, lengths.least, lengths.most.value_or(kNoLimit));
      return defined(rule, [](Nfa& nfa, StateId start, StateId end) -> Result<void> {
        add_string(nfa, start, end);
        return {};
      });
    }
    const Json& pattern = (*task.schema)["pattern"];
    if (!pattern.is_string()) return bad(task.path, "'pattern' is no string");
    const auto automaton = compile_pattern(pattern.get<std::string>());
    if (!automaton) {
      return bad(task.path, "'pattern': " + automaton.error().message, automaton.error().code);
    }
    const auto added = define(rule, [&](Nfa& nfa, StateId start, StateId end) {
      return add_pattern_string(nfa, start, end, *automaton, lengths.least, lengths.most);
    });
    if (!added) return bad(task.path, added.error().message, added.error().code);
    return rule;
  }

  Result<std::uint32_t> number_rule(const Task& task, bool is_integer) {
    NumberLimits limits;
    for (const std::string_view keyword : kNumberKeywords) {
      if (!task.schema->is_object() || !task.schema->contains(keyword)) continue;
      const Json& value = (*task.schema)[std::string(keyword)];
      if (!value.is_number()) {
        return bad(task.path, "'" + std::string(keyword) + "' is no number");
      }
      const auto decimal = parse_decimal(value.dump());
      const std::int64_t most = is_integer ? 999'999'999'999'999 : 1'000'000'000;
      if (!decimal || std::abs(value.get<double>()) > static_cast<double>(most)) {
        return bad(task.path,
                   "'" + std::string(keyword) + "' of " + value.dump() +
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
      const double new_value = value.get<double>();
      if (is_least ? new_value >= old_value : new_value <= old_value) limit = bound;
    }
    if (!limits.least && !limits.most) return is_integer ? any_integer() : any_number();
    const std::uint32_t rule = builder_.declare(task.path);
    return defined(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      add_bounded_number(nfa, start, end, limits, is_integer);
      return {};
    });
  }

  Result<std::uint32_t> array_rule(const Task& task) {
    static const Json kAnything = true;
    const Json& schema = *task.schema;
    const auto member = [&](const char* name) -> const Json* {
      return schema.is_object() && schema.contains(name) ? &schema[name] : nullptr;
    };
    const Counts counts = TRY(counts_of(task, "minItems", "maxItems"));
    // The list of the first items and the schema of the rest have had several names.
    const Json* first = member("prefixItems");
    const char* first_name = "/prefixItems/";
    const Json* rest = member("items");
    std::string rest_path = task.path + "/items";
    if (rest != nullptr && rest->is_array()) {
      first = rest;
      first_name = "/items/";
      rest = member("additionalItems");
      rest_path = task.path + "/additionalItems";
    }
    if (first != nullptr && !first->is_array()) return bad(task.path, "'prefixItems' is no list");
    if (rest == nullptr) rest = &kAnything;
    const std::size_t n_first =
        std::min<std::size_t>(first == nullptr ? 0 : first->size(), counts.most.value_or(kNoLimit));
    const auto n = static_cast<std::uint32_t>(n_first);

    const std::uint32_t rule = builder_.declare(task.path);
    builder_.set_counter(
        rule, counts.least - std::min(counts.least, n), counts.most ? *counts.most - n : kNoLimit);
    return defined(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      const std::uint32_t white = TRY(space());
      StateId at = TRY(spaced(nfa, start, "["));
      for (std::size_t i = 0; i < n_first; ++i) {
        if (i >= counts.least) nfa.range(at, end, {']', ']'});
        if (i > 0) at = TRY(spaced(nfa, at, ","));
        const StateId behind = nfa.add_state();
        const StateId next = nfa.add_state();
        nfa.call(at, behind, rule_of((*first)[i], task.path + first_name + std::to_string(i)));
        nfa.call(behind, next, white);
        at = next;
      }
      nfa.range(at, end, {']', ']'}, Effect::kEnough);
      const std::uint32_t items = rule_of(*rest, rest_path);
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
    });
  }

  struct Property {
    std::string name;
    std::uint32_t rule = 0;
    bool is_required = false;
  };

  Result<std::uint32_t> object_rule(const Task& task) {
    static const Json kAnything = true;
    const Json& schema = *task.schema;
    const auto member = [&](const char* name) -> const Json* {
      return schema.is_object() && schema.contains(name) ? &schema[name] : nullptr;
    };
    std::vector<Property> properties;
    std::set<std::string> names;
    const Json* additional = member("additionalProperties");
    if (const Json* declared = member("properties")) {
      if (!declared->is_object()) return bad(task.path, "'properties' is no object");
      for (const auto& [name, value] : declared->items()) {
        const std::string path = task.path + "/properties/" + pointer_token(name);
        properties.push_back({name, rule_of(value, path), false});
        names.insert(name);
      }
    } else if (additional == nullptr) {
      additional = &kAnything;
    }
    if (const Json* required = member("required")) {
      if (!required->is_array()) return bad(task.path, "'required' is no list");
      for (const Json& name : *required) {
        if (!name.is_string()) return bad(task.path, "'required' holds what is no name");
        const auto text = name.get<std::string>();
        if (names.insert(text).second) {
          const Json& other = additional == nullptr ? kAnything : *additional;
          properties.push_back({text, rule_of(other, task.path + "/additionalProperties"), true});
        }
        for (Property& property : properties)
          property.is_required |= property.name == text;
      }
    }
    const std::uint32_t rule = builder_.declare(task.path);
    return defined(rule, [&](Nfa& nfa, StateId start, StateId end) -> Result<void> {
      const std::uint32_t white = TRY(space());
      // Two lanes: nothing was written yet, or something was, and the next needs a comma.
      StateId fresh = TRY(spaced(nfa, start, "{"));
      StateId begun = nfa.add_state();
      const auto add_value = [&](StateId from, std::uint32_t value, StateId to) -> Result<void> {
        const StateId before = TRY(spaced(nfa, from, ":"));
        const StateId behind = nfa.add_state();
        nfa.call(before, behind, value);
        nfa.call(behind, to, white);
        return {};
      };
      for (const Property& property : properties) {
        const StateId key = nfa.add_state();
        const StateId next = nfa.add_state();
        nfa.epsilon(fresh, key);
        const StateId comma = TRY(spaced(nfa, begun, ","));
        nfa.epsilon(comma, key);
        TRY(add_value(nfa.literal(key, Json(property.name).dump()), property.rule, next));
        if (property.is_required) {
          fresh = nfa.add_state();  // nobody comes here
        } else {
          nfa.epsilon(begun, next);
        }
        begun = next;
      }
      if (additional != nullptr && *additional != Json(false)) {
        const StateId key = nfa.add_state();
        nfa.epsilon(fresh, key);
        const StateId comma = TRY(spaced(nfa, begun, ","));
        nfa.epsilon(comma, key);
        const std::uint32_t value = rule_of(*additional, task.path + "/additionalProperties");
        TRY(add_value(add_other_key(nfa, key, names), value, begun));
      }
      nfa.range(fresh, end, {'}', '}'});
      nfa.range(begun, end, {'}', '}'});
      return {};
    });
  }

  /// A key that is none of these; without escapes, so that it cannot be one in disguise.
  static StateId add_other_key(Nfa& nfa, StateId from, const std::set<std::string>& names) {
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

  const Json& document_;
  MachineBuilder builder_;
  std::unordered_map<const Json*, std::uint32_t> rules_;
  std::deque<Task> queue_;
  std::optional<std::uint32_t> space_;
  std::optional<std::uint32_t> string_;
  std::optional<std::uint32_t> number_;
  std::optional<std::uint32_t> integer_;
};

}  // namespace

Result<Machine> compile_json_schema(std::string_view schema) {
  if (schema.size() > kMaxSchemaBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "a schema of " + std::to_string(schema.size()) + " bytes; at most " +
                    std::to_string(kMaxSchemaBytes) + " are read");
  }
  if (is_too_deep(schema)) {
    return fail(ErrorCode::kInvalidArgument,
                "the schema is nested more than " + std::to_string(kMaxNesting) + " deep");
  }
  const Json document = Json::parse(schema, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::kInvalidArgument, "the schema is no JSON");
  return Compiler(document).compile();
}

}  // namespace kinglet::inference::grammar
