#include "lsp/uri.h"

#include <optional>

namespace kinglet::lsp {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

std::optional<unsigned char> hex_digit(char c) {
  if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  const std::size_t digit = kHexDigits.find(c);
  if (digit == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned char>(digit);
}

// RFC 3986, section 2.3, and the slash.
bool stays_as_it_is(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~' || c == '/';
}

bool starts_with_scheme(std::string_view uri) {
  constexpr std::string_view kScheme = "file:";
  if (uri.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = uri[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

Result<std::string> path_from_uri(std::string_view uri) {
  const std::string quoted = "URI \"" + std::string(uri.substr(0, 200)) + "\"";
  if (!starts_with_scheme(uri)) {
    return fail(ErrorCode::kUnsupported, quoted + " names no file: only file: URIs are read");
  }
  std::string_view rest = uri.substr(5);
  if (rest.substr(0, 2) == "//") {
    rest.remove_prefix(2);
    const std::string_view host = rest.substr(0, rest.find('/'));
    if (!host.empty() && host != "localhost") {
      return fail(ErrorCode::kUnsupported, quoted + " names a file on another host");
    }
    rest.remove_prefix(host.size());
  }
  rest = rest.substr(0, rest.find_first_of("?#"));
  std::string path;
  path.reserve(rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    const auto high = i + 2 < rest.size() ? hex_digit(rest[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(rest[i + 2]) : std::nullopt;
    if (!low) return fail(ErrorCode::kInvalidArgument, quoted + " has a broken % escape");
    path += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  if (path.empty() || path.front() != '/') {
    return fail(ErrorCode::kInvalidArgument, quoted + " is not an absolute path");
  }
  if (path.find('\0') != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, quoted + " holds a NUL byte");
  }
  return path;
}

std::string uri_from_path(std::string_view path) {
  std::string uri = "file://";
  for (const char c : path) {
    if (stays_as_it_is(c)) {
      uri += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      uri += '%';
      uri += kHexDigits[byte >> 4];
      uri += kHexDigits[byte & 15];
    }
  }
  return uri;
}

}  // namespace kinglet::lsp
