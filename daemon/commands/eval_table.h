// What `kinglet eval` says of its rows: means with intervals, for variants side by side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lsp/json.h"

namespace kinglet::daemon {

/// Rows (of ResultFile) of each variant; all have the same holes, in the same order.
struct EvalResults {
  std::vector<std::string> variants;
  std::vector<std::vector<lsp::Json>> rows;  // by variant
  std::uint64_t seed = 0;                    // of the intervals
};

/// For all holes and for each kind: {"kind", "holes", "files", "measures": [{"measure", "variants":
/// [{"mean", "low", "high"}], "differences": [...]}]}; a difference is that of a variant and the
/// first one, hole by hole. Null where no hole has a value. Kinds of holes are those of the rows;
/// "" are all.
lsp::Json summarize(const EvalResults& results);

/// The same as tables.
void print_summary(const std::vector<std::string>& variants, const lsp::Json& summary);

}  // namespace kinglet::daemon
