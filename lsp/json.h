// JSON between the wire and our types. Reading is checked and names the place: a value of the wrong
// type is an Error "params.position.line: expected …", never an exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/base/result.h"

namespace kinglet::lsp {

using Json = nlohmann::json;

/// Deeper nesting is refused: no message needs it, and what walks a tree may recurse.
inline constexpr int kMaxJsonDepth = 128;

/// Parses one JSON text. Lone surrogate escapes, which JavaScript editors can send and UTF-8 cannot
/// hold, become U+FFFD: as one UTF-16 unit for another they leave every column where it was.
/// Errors: kCorrupt with the byte offset; the text itself is not repeated (it may be code).
Result<Json> parse_json(std::string_view text);

/// Never fails: bytes that are not UTF-8 are written as U+FFFD.
std::string to_text(const Json& json);

/// A JSON value and where it stands. Lives on the stack during a read; a child points at its
/// parent.
///
/// A struct is read by one overload `Result<void> read(const Field&, T&)` in its own namespace,
/// made of require() and optional(). Two habits of Lua clients are forgiven: an empty array where
/// an object belongs and the reverse, and whole numbers written as 3.0.
class Field {
 public:
  Field(const Json& value, std::string_view name) : value_(value), name_(name) {}

  const Json& json() const { return value_; }
  /// "params.contentChanges[2].range"
  std::string path() const;
  /// kInvalidArgument: "PATH: expected WANTED, got a string".
  tl::unexpected<Error> mismatch(std::string_view wanted) const;

  /// Reads member `name`; its absence is an error.
  template <class T>
  Result<void> require(std::string_view name, T& out) const {
    const Json* member = TRY(find(name));
    if (member == nullptr) return missing(name);
    return read(Field(*member, name, this), out);
  }

  /// Reads member `name`; absent or null leaves `out` as it is.
  template <class T>
  Result<void> optional(std::string_view name, T& out) const {
    const Json* member = TRY(find(name));
    if (member == nullptr || member->is_null()) return {};
    return read(Field(*member, name, this), out);
  }

  template <class T>
  Result<void> optional(std::string_view name, std::optional<T>& out) const {
    const Json* member = TRY(find(name));
    if (member == nullptr || member->is_null()) return {};
    return read(Field(*member, name, this), out.emplace());
  }

  /// Reads every element of an array.
  template <class T>
  Result<void> elements(std::vector<T>& out) const {
    if (is_empty_object()) return {};
    if (!value_.is_array()) return mismatch("an array");
    out.reserve(value_.size());
    for (std::size_t i = 0; i < value_.size(); ++i) {
      TRY(read(Field(value_[i], i, this), out.emplace_back()));
    }
    return {};
  }

 private:
  Field(const Json& value, std::string_view name, const Field* parent)
      : value_(value), name_(name), parent_(parent) {}
  Field(const Json& value, std::size_t index, const Field* parent)
      : value_(value), index_(index), parent_(parent) {}

  /// The member, or null; an error if this is not an object.
  Result<const Json*> find(std::string_view name) const;
  tl::unexpected<Error> missing(std::string_view name) const;
  bool is_empty_object() const { return value_.is_object() && value_.empty(); }

  const Json& value_;
  std::string_view name_;
  std::optional<std::size_t> index_;
  const Field* parent_ = nullptr;
};

Result<void> read(const Field& field, bool& out);
Result<void> read(const Field& field, std::int32_t& out);
Result<void> read(const Field& field, std::int64_t& out);
/// A negative number is an error; one too large for the type becomes its maximum.
Result<void> read(const Field& field, std::uint32_t& out);
Result<void> read(const Field& field, double& out);
Result<void> read(const Field& field, std::string& out);
Result<void> read(const Field& field, Json& out);

template <class T>
Result<void> read(const Field& field, std::vector<T>& out) {
  return field.elements(out);
}

/// Reads a whole value of type T; `name` heads the paths in errors ("params").
template <class T>
Result<T> read_json(const Json& json, std::string_view name) {
  T value{};
  TRY(read(Field(json, name), value));
  return value;
}

/// Sets a member only if there is a value: LSP tells an absent member from null.
template <class T>
void set(Json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

}  // namespace kinglet::lsp
