// file: URIs and paths.
#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace kinglet::lsp {

/// The absolute path a file URI names, percent-decoded. Errors: kUnsupported for another scheme or
/// host, kInvalidArgument for bad escapes, a NUL or a relative path.
Result<std::string> path_from_uri(std::string_view uri);

/// "file:///…" for an absolute path; every byte outside RFC 3986's unreserved set and '/' is
/// escaped.
std::string uri_from_path(std::string_view path);

}  // namespace kinglet::lsp
