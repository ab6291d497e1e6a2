// What a machine without Vulkan says. Each case runs in a process of its own, whose environment
// hides the library or the drivers (CMakeLists.txt); KINGLET_VULKAN_HIDDEN tells which.
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "vulkan/instance.h"

using namespace kinglet;
using namespace kinglet::vulkan;

TEST_SUITE("vulkan/missing") {
  TEST_CASE("what is missing is told apart, with the way out") {
    const char* const variable = std::getenv("KINGLET_VULKAN_HIDDEN");
    const std::string hidden = variable == nullptr ? "" : variable;
    const auto instance = Instance::create();
    if (hidden == "library") {
      REQUIRE(!instance.has_value());
      CHECK(instance.error().code == ErrorCode::kNotFound);
      CHECK(instance.error().message ==
            "no Vulkan library (libvulkan.so.1) on this machine; install the packages libvulkan1 "
            "and mesa-vulkan-drivers (or your GPU vendor's driver), or run with the CPU backend");
    } else if (hidden == "drivers") {
      REQUIRE(!instance.has_value());
      CHECK(instance.error().code == ErrorCode::kNotFound);
      CHECK(instance.error().message ==
            "starting Vulkan failed: VK_ERROR_INCOMPATIBLE_DRIVER; no Vulkan driver works here: "
            "install mesa-vulkan-drivers or your GPU vendor's driver, or run with the CPU backend");
    } else {
      FAIL("KINGLET_VULKAN_HIDDEN is not set; ctest sets it");
    }
  }
}
