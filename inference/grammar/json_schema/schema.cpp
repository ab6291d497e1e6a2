#include "inference/grammar/json_schema/schema.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace kinglet::inference::grammar::json_schema {
namespace {

constexpr std::uint32_t kMaxCount = 1U << 30;

/// Keywords that say nothing about which values are accepted.
constexpr std::array<std::string_view, 15> kAnnotations = {"$schema",
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
constexpr std::array<std::string_view, 6> kGeneralKeywords = {
    "type", "enum", "const", "$ref", "anyOf", "allOf"};
constexpr std::array<std::string_view, 3> kObjectKeywords = {
    "properties", "required", "additionalProperties"};
constexpr std::array<std::string_view, 5> kArrayKeywords = {
    "items", "prefixItems", "additionalItems", "minItems", "maxItems"};
constexpr std::array<std::string_view, 3> kStringKeywords = {"minLength", "maxLength", "pattern"};
constexpr std::array<std::string_view, 4> kNumberKeywords = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};

/// The keywords that speak of one type.
struct TypeKeywords {
  std::string_view type;
  std::span<const std::string_view> keywords;
};
constexpr TypeKeywords kTypeKeywords[] = {{"object", kObjectKeywords},
                                          {"array", kArrayKeywords},
                                          {"string", kStringKeywords},
                                          {"number", kNumberKeywords}};

bool is_one_of(std::string_view word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_known(std::string_view keyword) {
  return is_one_of(keyword, kGeneralKeywords) ||
         std::any_of(std::begin(kTypeKeywords),
                     std::end(kTypeKeywords),
                     [&](const TypeKeywords& row) { return is_one_of(keyword, row.keywords); });
}

Result<std::optional<std::uint32_t>> count_of(const Schema& schema, const char* keyword) {
  const Json* value = schema.find(keyword);
  if (value == nullptr) return std::nullopt;
  const bool is_count = value->is_number() && value->get<double>() >= 0 &&
                        value->get<double>() == std::floor(value->get<double>());
  if (!is_count) return bad(schema, std::string("'") + keyword + "' is no count");
  return static_cast<std::uint32_t>(std::min<double>(value->get<double>(), kMaxCount));
}

}  // namespace

const Json* Schema::find(std::string_view keyword) const {
  if (!json->is_object()) return nullptr;
  const auto entry = json->find(std::string(keyword));
  return entry == json->end() ? nullptr : &*entry;
}

tl::unexpected<Error> bad(const Schema& schema, const std::string& what, ErrorCode code) {
  return fail(code, schema.path + ": " + what);
}

Result<std::vector<std::string>> constraints_of(const Schema& schema) {
  std::vector<std::string> constraints;
  for (const auto& [keyword, value] : schema.json->items()) {
    if (is_one_of(keyword, kAnnotations) || keyword.starts_with("x-")) continue;
    if (!is_known(keyword)) {
      return bad(schema, "'" + keyword + "' is not supported", ErrorCode::kUnsupported);
    }
    constraints.push_back(keyword);
  }
  return constraints;
}

std::span<const std::string_view> number_keywords() {
  return kNumberKeywords;
}

std::vector<std::string> all_types() {
  return {"null", "boolean", "number", "string", "array", "object"};
}

Result<std::vector<std::string>> types_of(const Schema& schema) {
  std::vector<std::string> types;
  const Json* type = schema.find("type");
  if (type == nullptr) {
    for (const auto& [name, keywords] : kTypeKeywords) {
      const bool is_spoken_of =
          std::any_of(keywords.begin(), keywords.end(), [&](std::string_view keyword) {
            return schema.find(keyword) != nullptr;
          });
      if (is_spoken_of) types.emplace_back(name);
    }
    return types.empty() ? all_types() : types;
  }
  const Json list = type->is_array() ? *type : Json::array({*type});
  for (const Json& entry : list) {
    const std::string name = entry.is_string() ? entry.get<std::string>() : entry.dump();
    const std::vector<std::string> known = all_types();
    if (name != "integer" && std::find(known.begin(), known.end(), name) == known.end()) {
      return bad(schema, "there is no type '" + name + "'");
    }
    types.push_back(name);
  }
  return types;
}

Result<Counts> counts_of(const Schema& schema, const char* least, const char* most) {
  Counts counts;
  counts.least = TRY(count_of(schema, least)).value_or(0);
  counts.most = TRY(count_of(schema, most));
  if (counts.most && *counts.most < counts.least) {
    return bad(schema,
               std::string("cannot be satisfied: '") + most + "' is less than '" + least + "'");
  }
  return counts;
}

}  // namespace kinglet::inference::grammar::json_schema
