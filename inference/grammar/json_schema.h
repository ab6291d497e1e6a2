// From a JSON Schema to a grammar of which every text is a JSON value that the schema accepts. Not
// of all that it accepts: an object's properties come in the schema's order and only declared ones
// unless `additionalProperties` is given; numbers have at most 15 digits; white space is bounded.
//
// Supported: true and false, type (also a list), enum, const, $ref within the document, anyOf,
// allOf of one; for objects properties, required, additionalProperties; for arrays items (also a
// list), prefixItems, additionalItems, minItems, maxItems; for strings minLength, maxLength,
// pattern; for numbers minimum, maximum, exclusiveMinimum, exclusiveMaximum. Annotations (title,
// description, default, format, ...) are passed over. Everything else is refused by name: what is
// not understood cannot be promised.
#pragma once

#include <string_view>

#include "daemon/base/result.h"
#include "inference/grammar/machine.h"

namespace kinglet::inference::grammar {

inline constexpr std::size_t kMaxSchemaBytes = std::size_t{1} << 20;

/// Errors name the place as a path ("#/properties/name"): kInvalidArgument for what is no JSON or
/// no schema, too big, or cannot be satisfied; kUnsupported for keywords that are not supported.
Result<Machine> compile_json_schema(std::string_view schema);

}  // namespace kinglet::inference::grammar
