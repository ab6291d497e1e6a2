// What a text gives to a name: `name = "…"`, `name: str = '…'`, `NAME=…`, `name("…")` and what else
// languages and settings files have for it. Knows no language: it reads what may stand between a
// name and a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/base/text.h"

namespace kinglet::indexer {

/// The less it looks like giving a value, the more must the value look like one.
enum class Giving : std::uint8_t {
  kAssigned,  // in quotes after an assignment; a line NAME=value
  kLoosely,   // in quotes some other way: an argument, a macro, a declaration; without quotes
  kBare,      // the rest of a line without quotes, where code could stand as well
};

struct GivenValue {
  ByteRange range;  // without quotes; may be empty
  Giving giving = Giving::kAssigned;
};

/// Looks at a bounded part of the text behind the name, but for the value itself.
std::optional<GivenValue> value_given_to(ByteRange name, std::string_view text);

}  // namespace kinglet::indexer
