#include "tests/tools/roofline_tables.h"

#include <cstdio>

#include "tests/inference/hollow_model.h"
#include "tests/inference/model_presets.h"

namespace kinglet::test {

std::shared_ptr<const inference::Model> load(const std::string& preset, const std::string& format) {
  SyntheticModel shape = model_presets().at(preset);
  if (format == "Q8_0") {
    shape.type = inference::TensorType::kQ8_0;
  } else {
    shape.mix = format;
  }
  return hollow_model(shape);
}

void print_header(const std::vector<std::string>& columns) {
  for (const std::string& column : columns)
    std::printf("| %s ", column.c_str());
  std::puts("|");
  for (std::size_t i = 0; i < columns.size(); ++i)
    std::printf("|---");
  std::puts("|");
}

}  // namespace kinglet::test
