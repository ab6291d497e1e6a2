// Does a model file compute what it should? For the person with a real model in hand: a wrong rope,
// tokenizer, chat template or fill-in-the-middle format shows as a line out of its range, without
// anything to compare with.
//
// Ranges are wide, and chosen rather than measured: what a sound model of that size is known to do,
// and what one that is read wrong does not. Where a line can compare the model with itself (the
// same words with more before them, a hole with its own suffix and with another's), it does.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/features/chat_template.h"
#include "inference/backend.h"

namespace kinglet::daemon {

/// Texts that no model was trained on.
struct CheckTexts {
  std::string code;
  std::string prose;
};

/// The ones that come with Kinglet. Errors: kNotFound, kIo name the file.
Result<CheckTexts> load_check_texts();

enum class Verdict : std::uint8_t {
  kGood,
  kBad,
  kSkipped,  // does not concern this model
};

/// One line of the table.
struct CheckLine {
  std::string what;
  std::string measured;
  std::string expected;
  Verdict verdict = Verdict::kGood;
  std::string hint = {};  // of kBad: what is wrong then, most likely
};

struct CheckOptions {
  /// The longest sequence that is computed, as far as the model's context goes.
  std::size_t max_tokens = 6144;
  /// Gets each line as soon as it is known.
  std::function<void(const CheckLine&)> on_line = [](const CheckLine&) {};
};

/// Every check of a placed model; the executor's cache must hold `max_tokens` (or the model's
/// context, if that is less). `chat`: its template, or nullptr. Errors: kCancelled, kNumeric, and
/// the device's own.
Result<std::vector<CheckLine>> check_model(inference::Executor& executor,
                                           const ChatTemplate* chat,
                                           const CheckTexts& texts,
                                           const CheckOptions& options,
                                           const std::stop_token& stop = {});

}  // namespace kinglet::daemon
