#include "tests/inference/hollow_model.h"

#include <stdexcept>
#include <utility>

#include "tests/inference/stream_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

std::shared_ptr<const inference::Model> hollow_model(const SyntheticModel& shape) {
  const TemporaryFolder folder;  // the model keeps the file
  stream_gguf({.model = shape, .hollow = true}, folder / "model.gguf");
  auto model = inference::Model::load(folder / "model.gguf");
  if (!model) throw std::runtime_error(model.error().message);
  return *std::move(model);
}

}  // namespace kinglet::test
