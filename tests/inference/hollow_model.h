// Models of full size that hold no weights: for what depends on shapes alone.
#pragma once

#include <memory>

#include "inference/model.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

/// All numbers that would be random are 0, and take no memory until they are read. Throws
/// std::runtime_error.
std::shared_ptr<const inference::Model> hollow_model(const SyntheticModel& shape);

}  // namespace kinglet::test
