// What names and bytes tell of a file: secret, binary, generated.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "indexer/scan.h"

namespace kinglet::indexer {

struct Judgement {
  LeftOut reason;
  std::string detail;
};

/// Of a file's name alone (its last component).
std::optional<Judgement> judge_name(std::string_view name);

}  // namespace kinglet::indexer
