// Adapter files as settings name them.
#pragma once

#include <memory>
#include <string>

#include "daemon/base/result.h"
#include "inference/lora.h"

namespace kinglet::daemon {

/// Reads an adapter of the setting "adapters" for a model. Errors: those of Lora::load(), and how
/// the setting gets right again.
Result<std::shared_ptr<const inference::Lora>> load_adapter(const std::string& file,
                                                            const inference::Model& model);

}  // namespace kinglet::daemon
