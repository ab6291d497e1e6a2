// The rows of `kinglet bench`, for people and for scripts.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/model_bench.h"
#include "inference/backend.h"

namespace kinglet::daemon {

/// What is measured, and the names of the columns.
void print_bench_head(const inference::Model& model,
                      const inference::ExecutorInfo& info,
                      const inference::DeviceLimits& limits);
void print_bench_row(const BenchRow& row, const inference::DeviceLimits& limits);
nlohmann::json json_of(const std::string& model,
                       const inference::ExecutorInfo& info,
                       const inference::DeviceLimits& limits,
                       const BenchRow& row);

}  // namespace kinglet::daemon
