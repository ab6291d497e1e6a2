// A test that cannot run here says so and returns: SKIP("no Vulkan device"). `./dev test` counts
// these lines.
#pragma once

#include <cstdio>

#define SKIP(reason)                                                              \
  do {                                                                            \
    std::printf("skipped: %s: %s\n", __FILE__, static_cast<const char*>(reason)); \
    return;                                                                       \
  } while (false)
