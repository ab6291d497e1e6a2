#include "daemon/adapters.h"

#include <utility>

namespace kinglet::daemon {

Result<std::shared_ptr<const inference::Lora>> load_adapter(const std::string& file,
                                                            const inference::Model& model) {
  auto lora = inference::Lora::load(file, model);
  if (lora) return lora;
  return fail(lora.error().code,
              "The adapter " + lora.error().message +
                  ". Take it out of \"adapters\" in config.json, or name one there that was made "
                  "for this model.");
}

}  // namespace kinglet::daemon
