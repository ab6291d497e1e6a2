#pragma once

#include <memory>
#include <string_view>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::test {

/// The vocabulary that worker_double gives a model: a token for each byte. A model whose path ends
/// in "other" has another one, with one control token more before the bytes.
std::shared_ptr<const inference::Vocabulary> double_vocabulary(std::string_view model_path);

}  // namespace kinglet::test
