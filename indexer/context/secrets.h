// Secrets in source text: keys by their makers' prefixes, private key blocks, passwords in URLs,
// and random-looking values given to names like `password` (given_value.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"

namespace kinglet::indexer {

/// What must not reach a prompt; in order, disjoint. Linear in the text.
std::vector<ByteRange> find_secrets(std::string_view text);

/// Those of what stands around a part of the text, within some 16 KiB: what is cut there may be one
/// by what it is cut from.
std::vector<ByteRange> find_secrets_around(std::string_view text, ByteRange part);

/// The part of a text with `***` for each secret that it overlaps.
std::string mask(std::string_view text, ByteRange part, const std::vector<ByteRange>& secrets);

/// All of it.
std::string mask(std::string_view text);

}  // namespace kinglet::indexer
