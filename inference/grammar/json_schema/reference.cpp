// JSON pointers in URI fragments (RFC 6901), as `$ref` holds them.
#include <algorithm>
#include <cstdlib>

#include "inference/grammar/json_schema/schema.h"

namespace kinglet::inference::grammar::json_schema {
namespace {

std::string unescape(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '%' && i + 2 < token.size()) {
      text +=
          static_cast<char>(std::strtol(std::string(token.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else if (token[i] == '~' && i + 1 < token.size()) {
      text += token[++i] == '1' ? '/' : '~';
    } else {
      text += token[i];
    }
  }
  return text;
}

/// The entry of a list or an object that a token names; null when there is none.
const Json* step(const Json& value, const std::string& token) {
  const bool is_index = value.is_array() && !token.empty() && token.size() < 7 &&
                        token.find_first_not_of("0123456789") == std::string::npos &&
                        std::stoul(token) < value.size();
  if (is_index) return &value[std::stoul(token)];
  if (value.is_object() && value.contains(token)) return &value[token];
  return nullptr;
}

}  // namespace

Result<Schema> resolve(const Schema& schema, const Json& document) {
  const Json& reference = *schema.find("$ref");
  if (!reference.is_string()) return bad(schema, "'$ref' is no string");
  const std::string text = reference.get<std::string>();
  if (!text.starts_with('#')) {
    return bad(schema,
               "'$ref' to '" + text + "': only this document can be referred to",
               ErrorCode::kUnsupported);
  }
  std::string_view rest = std::string_view(text).substr(1);
  if (!rest.empty() && rest.front() != '/') {
    return bad(
        schema, "'$ref' to the anchor '" + text + "' is not supported", ErrorCode::kUnsupported);
  }
  const Json* target = &document;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    target = step(*target, unescape(rest.substr(1, end - 1)));
    if (target == nullptr) return bad(schema, "'$ref' to '" + text + "': there is no such place");
    rest.remove_prefix(end);
  }
  return Schema{target, text};
}

namespace {

std::string shortened(std::string_view name) {
  constexpr std::size_t kMost = 100;
  if (name.size() <= kMost) return std::string(name);
  std::size_t n = kMost;
  while ((static_cast<unsigned char>(name[n]) & 0xc0) == 0x80)
    --n;  // not within a character
  return std::string(name.substr(0, n)) + "...";
}

}  // namespace

std::string pointer_token(std::string_view name) {
  std::string token;
  for (const char c : shortened(name))
    token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return token;
}

}  // namespace kinglet::inference::grammar::json_schema
