#include "tests/inference/grammar/random_schema.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace kinglet::test {

using Json = nlohmann::ordered_json;

namespace {

/// A schema of everything that is supported, from a seed.
class RandomSchema {
 public:
  explicit RandomSchema(std::uint64_t seed) : random_(seed) {}

  Json document() {
    n_definitions_ = below(3);
    Json schema = value(0);
    if (!schema.is_object()) schema = Json{{"type", "array"}, {"items", schema}};
    for (std::size_t i = 0; i < n_definitions_; ++i)
      schema["$defs"]["d" + std::to_string(i)] = value(1);
    return schema;
  }

  std::string pattern() {
    std::string text;
    for (std::size_t i = 1 + below(3); i > 0; --i) {
      text += pick<std::string>({"a",
                                 "[a-z]",
                                 "[^a-z\"]",
                                 "\\d",
                                 "\\w",
                                 "\\s",
                                 ".",
                                 "(ab|c)",
                                 "ü",
                                 "(x|[0-9]+)",
                                 "\\.",
                                 "\\\\",
                                 "\"",
                                 "(?:de)"});
      text += pick<std::string>({"", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}?"});
    }
    if (chance(2)) text = "^" + text;
    if (chance(2)) text += "$";
    if (chance(6)) text += "|^$";
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  template <class T>
  T pick(const std::vector<T>& list) {
    return list[below(list.size())];
  }

  Json value(int depth) {
    // Deeper down, what holds others becomes rare.
    const std::size_t kind = below(depth < 3 ? 14 : 7);
    switch (kind) {
      case 0:
      case 1:
        return string();
      case 2:
      case 3:
        return number();
      case 4:
        return Json{{"type", pick<std::string>({"null", "boolean"})}};
      case 5:
        return values();
      case 6:
        if (n_definitions_ > 0) {
          return Json{{"$ref", "#/$defs/d" + std::to_string(below(n_definitions_))}};
        }
        return chance(30) ? Json(false) : Json::object();
      case 7:
      case 8:
      case 9:
        return object(depth);
      case 10:
      case 11:
        return array(depth);
      case 12: {
        Json schema = {{"anyOf", Json::array()}};
        for (std::size_t i = 1 + below(3); i > 0; --i)
          schema["anyOf"].push_back(value(depth + 1));
        return schema;
      }
      default:
        return Json{{"type", {pick<std::string>({"integer", "array", "object"}), "string"}}};
    }
  }

  Json string() {
    Json schema = {{"type", "string"}};
    if (chance(3)) schema["minLength"] = below(6);
    if (chance(3)) schema["maxLength"] = 3 + below(10);
    if (chance(4)) schema["pattern"] = pattern();
    return schema;
  }

  Json number() {
    const bool is_integer = chance(2);
    Json schema = {{"type", is_integer ? "integer" : "number"}};
    const auto limit = [&]() -> Json {
      const auto whole = static_cast<int>(below(4000)) - 2000;
      if (is_integer || chance(2)) return whole;
      return whole / pick<double>({8.0, 10.0, 1000.0});
    };
    if (chance(3)) schema[chance(2) ? "minimum" : "exclusiveMinimum"] = limit();
    if (chance(3)) schema[chance(2) ? "maximum" : "exclusiveMaximum"] = limit();
    return schema;
  }

  Json literal() {
    return pick<Json>({Json("red"),
                       Json("gr\"ün\n"),
                       Json(""),
                       Json(7),
                       Json(-2.5),
                       Json(nullptr),
                       Json(true),
                       Json::array({1, "a"}),
                       Json{{"k", Json::array()}}});
  }

  Json values() {
    if (chance(3)) return Json{{"const", literal()}};
    Json schema = {{"enum", Json::array()}};
    for (std::size_t i = 1 + below(4); i > 0; --i)
      schema["enum"].push_back(literal());
    return schema;
  }

  Json object(int depth) {
    Json schema = {{"type", "object"}};
    const std::vector<std::string> names = {"name", "na", "id", "in", "a b", "ä\"", "", "x/y"};
    for (std::size_t i = below(5); i > 0; --i) {
      const std::string name = pick(names);
      schema["properties"][name] = value(depth + 1);
      if (chance(2)) schema["required"].push_back(name);
    }
    if (schema.contains("required")) {
      // Names are required once.
      Json once = Json::array();
      for (const Json& name : schema["required"]) {
        if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
      }
      schema["required"] = once;
    }
    if (chance(4)) schema["additionalProperties"] = chance(2) ? Json(chance(2)) : value(depth + 1);
    return schema;
  }

  Json array(int depth) {
    Json schema = {{"type", "array"}};
    if (chance(4)) {
      schema["prefixItems"] = Json::array();
      for (std::size_t i = 1 + below(3); i > 0; --i)
        schema["prefixItems"].push_back(value(depth + 1));
    }
    if (!chance(4)) schema["items"] = value(depth + 1);
    if (chance(3)) schema["minItems"] = below(4);
    if (chance(3)) schema["maxItems"] = 1 + below(5);
    return schema;
  }

  std::mt19937_64 random_;
  std::size_t n_definitions_ = 0;
};

}  // namespace

Json random_schema(std::uint64_t seed) {
  return RandomSchema(seed).document();
}

std::string random_pattern(std::uint64_t seed) {
  return RandomSchema(seed).pattern();
}

}  // namespace kinglet::test
