// A schema as it stands in its document: its place, its keywords, and where a reference leads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/base/result.h"

namespace kinglet::inference::grammar::json_schema {

using Json = nlohmann::ordered_json;

struct Schema {
  const Json* json;  ///< lives as long as its document
  std::string path;  ///< a pointer, as a URI fragment: "#/properties/name"

  /// The value of a keyword; null when there is none, or when the schema is true or false.
  const Json* find(std::string_view keyword) const;
};

/// What is wrong with a schema, and where.
tl::unexpected<Error> bad(const Schema& schema,
                          const std::string& what,
                          ErrorCode code = ErrorCode::kInvalidArgument);

/// The keywords of an object that say which values are accepted, in its order. Error: kUnsupported,
/// naming one, when it is not known.
Result<std::vector<std::string>> constraints_of(const Schema& schema);

/// Keywords of numbers' limits; an exclusive one comes after its inclusive one.
std::span<const std::string_view> number_keywords();

/// What a schema without a constraint accepts.
std::vector<std::string> all_types();

/// The value of `type` as a list. Without it the one that other keywords speak of: values of other
/// types would be accepted, too, and are hardly meant.
Result<std::vector<std::string>> types_of(const Schema& schema);

/// Values of two keywords that count something, at most 2^30. Error: kInvalidArgument for what is
/// no count, and when no number lies between them.
struct Counts {
  std::uint32_t least = 0;
  std::optional<std::uint32_t> most;
};
Result<Counts> counts_of(const Schema& schema, const char* least, const char* most);

/// What a `$ref` of this schema refers to. Errors: kUnsupported for other documents and anchors,
/// kInvalidArgument when there is nothing.
Result<Schema> resolve(const Schema& schema, const Json& document);

/// Of one object, and names of one `required`.
inline constexpr std::size_t kMaxMembers = 2000;

/// A name as one token of a path; a long one is cut, for each place below has it in its path.
std::string pointer_token(std::string_view name);

}  // namespace kinglet::inference::grammar::json_schema
