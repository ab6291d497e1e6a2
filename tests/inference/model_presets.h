// The shapes of models that people run.
#pragma once

#include <map>
#include <string>

#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

/// By name: "phi-3.5-mini".
const std::map<std::string, SyntheticModel>& model_presets();

}  // namespace kinglet::test
