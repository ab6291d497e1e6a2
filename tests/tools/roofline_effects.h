// What each optimization should be worth, from bytes, stages and arithmetic.
#pragma once

namespace kinglet::test {

/// A table for one card: what a pass takes without it and with it, and what was measured.
void print_effects();

}  // namespace kinglet::test
