#pragma once

#include <cstdint>

namespace kinglet::test {

/// What worker_double does with a Generate whose prompt begins with this token.
enum class Behavior : std::int32_t {
  kGood = 10,
  kDiesOnce,      // after two tokens, unless the prompt is longer than one
  kAlwaysDies,    // after two tokens
  kLosesDevice,   // after two tokens, unless the prompt is longer than one
  kWaits,         // gives one token, then nothing until it is cancelled
  kHangs,         // gives one token, then nothing whatever comes
  kForeignToken,  // one that the vocabulary does not have
  kGarbage,       // bytes that are no frame
  kTalksOn,       // one token more than asked for
  kHealsAndDies,  // takes one token back; after two tokens, when healing was asked for
  kHealsUnasked,  // takes one token back, whatever was asked for
};

}  // namespace kinglet::test
