#include "lsp/json.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kinglet::lsp {
namespace {

// Brackets outside of strings. For malformed text this is only a bound, which is all it has to be.
int nesting_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  for (const char c : text.substr(at + 2, 4)) {
    unit *= 16;
    if (c >= '0' && c <= '9') {
      unit += static_cast<unsigned>(c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      unit += static_cast<unsigned>((c | 0x20) - 'a') + 10;
    } else {
      return std::nullopt;
    }
  }
  return unit;
}

bool is_high_surrogate(unsigned unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low_surrogate(unsigned unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

std::string replace_lone_surrogates(std::string_view text) {
  std::string fixed(text);
  for (std::size_t i = 0; i + 1 < fixed.size(); ++i) {
    if (fixed[i] != '\\') continue;
    const auto unit = escaped_unit(fixed, i);
    if (!unit) {
      ++i;  // another escape: its second character is not a backslash of its own
      continue;
    }
    if (is_high_surrogate(*unit)) {
      const auto next = escaped_unit(fixed, i + 6);
      if (next && is_low_surrogate(*next)) {
        i += 11;
        continue;
      }
    }
    if (is_high_surrogate(*unit) || is_low_surrogate(*unit)) fixed.replace(i, 6, "\\ufffd");
    i += 5;
  }
  return fixed;
}

Result<Json> parse_once(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::kCorrupt,
                "not JSON: unexpected input at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    return fail(ErrorCode::kCorrupt, "not JSON: a number out of range");
  }
}

const char* kind_of(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return "a number";
    default:
      return "something else";
  }
}

// The whole number `json` holds, saturated to 64 bits.
std::optional<std::int64_t> whole_number(const Json& json) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    return number > static_cast<std::uint64_t>(kMax) ? kMax : static_cast<std::int64_t>(number);
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (!json.is_number_float()) return std::nullopt;
  const auto number = json.get<double>();
  if (std::trunc(number) != number) return std::nullopt;
  if (number >= 0x1p63) return kMax;
  if (number < -0x1p63) return kMin;
  return static_cast<std::int64_t>(number);
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (nesting_depth(text) > kMaxJsonDepth) {
    return fail(ErrorCode::kCorrupt,
                "JSON nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  auto json = parse_once(text);
  if (json || text.find("\\u") == std::string_view::npos) return json;
  auto repaired = parse_once(replace_lone_surrogates(text));
  return repaired ? repaired : json;
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Field::path() const {
  std::string path = parent_ == nullptr ? "" : parent_->path();
  if (index_) return path + "[" + std::to_string(*index_) + "]";
  if (!path.empty()) path += '.';
  return path += name_;
}

tl::unexpected<Error> Field::mismatch(std::string_view wanted) const {
  return fail(ErrorCode::kInvalidArgument,
              path() + ": expected " + std::string(wanted) + ", got " + kind_of(value_));
}

Result<const Json*> Field::find(std::string_view name) const {
  if (value_.is_array() && value_.empty()) return nullptr;
  if (!value_.is_object()) return mismatch("an object");
  const auto member = value_.find(name);
  return member == value_.end() ? nullptr : &*member;
}

tl::unexpected<Error> Field::missing(std::string_view name) const {
  return fail(ErrorCode::kInvalidArgument, path() + "." + std::string(name) + ": missing");
}

Result<void> read(const Field& field, bool& out) {
  if (!field.json().is_boolean()) return field.mismatch("a boolean");
  out = field.json().get<bool>();
  return {};
}

Result<void> read(const Field& field, std::int32_t& out) {
  const auto number = whole_number(field.json());
  if (!number) return field.mismatch("a whole number");
  if (*number < std::numeric_limits<std::int32_t>::min() ||
      *number > std::numeric_limits<std::int32_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, field.path() + ": out of range");
  }
  out = static_cast<std::int32_t>(*number);
  return {};
}

Result<void> read(const Field& field, std::int64_t& out) {
  const auto number = whole_number(field.json());
  if (!number) return field.mismatch("a whole number");
  out = *number;
  return {};
}

Result<void> read(const Field& field, std::uint32_t& out) {
  const auto number = whole_number(field.json());
  if (!number) return field.mismatch("a whole number");
  if (*number < 0) return fail(ErrorCode::kInvalidArgument, field.path() + ": negative");
  out = static_cast<std::uint32_t>(
      std::min<std::int64_t>(*number, std::numeric_limits<std::uint32_t>::max()));
  return {};
}

Result<void> read(const Field& field, double& out) {
  if (!field.json().is_number()) return field.mismatch("a number");
  out = field.json().get<double>();
  return {};
}

Result<void> read(const Field& field, std::string& out) {
  if (!field.json().is_string()) return field.mismatch("a string");
  out = field.json().get_ref<const std::string&>();
  return {};
}

Result<void> read(const Field& field, Json& out) {
  out = field.json();
  return {};
}

}  // namespace kinglet::lsp
