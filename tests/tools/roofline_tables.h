// What the tables of `roofline` are made with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/model.h"

namespace kinglet::test {

/// A preset's shape with weights in "Q8_0" or a mix, "Q4_K_M"; no bytes behind them.
std::shared_ptr<const inference::Model> load(const std::string& preset, const std::string& format);

/// Markdown: the names of the columns and the line below them.
void print_header(const std::vector<std::string>& columns);

}  // namespace kinglet::test
