// Text from a repository, made fit to be shown and sent: a record's strings, a prompt's chunks.
#pragma once

#include <string>
#include <string_view>

namespace kinglet::indexer {

bool is_valid_utf8(std::string_view text);

/// Valid UTF-8 in which each character can be seen: no controls besides tab and line feed, none of
/// the invisible or direction-changing characters that make text read otherwise than it is.
bool is_clean(std::string_view text);

/// The text made clean: bytes that are not UTF-8 become U+FFFD, invisible characters `\u{202e}`,
/// controls a space, CR LF and lone CR a line feed. Clean text comes back unchanged.
std::string clean(std::string_view text);

}  // namespace kinglet::indexer
