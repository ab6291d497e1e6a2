// What every grammar must do that was accepted, whatever it was written in.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "inference/grammar/machine.h"

namespace kinglet::test {

/// Checks the machine's own invariants, draws texts under limits from the tightest on (a wild model
/// that seldom ends of itself) and hands them to `check`. Throws BrokenPromise when a mask is empty
/// before the end, a text is not complete at its limit, or the machine does not have it.
void walk_grammar(inference::grammar::Machine machine,
                  std::uint64_t seed,
                  const std::function<void(std::string_view text)>& check);

/// A number made of all bytes, to draw by.
std::uint64_t seed_of(std::string_view bytes);

}  // namespace kinglet::test
