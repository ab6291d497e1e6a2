// Makes the n-th Vulkan call that can fail, fail. Wraps every function of a table that returns a
// VkResult; install hook() in InstanceOptions::table_hook.
#pragma once

#include <string>

#include "vulkan/device_table.h"

namespace kinglet::test {

class CallFaults {
 public:
  /// Resets the count: the n-th call from now (1 is the next) returns `result`; 0: none fails.
  static void arm(int nth, VkResult result);
  /// The same of the n-th call of one function.
  static void arm_function(const std::string& function, VkResult result, int nth = 1);
  /// Calls counted since arm().
  static int n_calls();
  /// The same of one function, "vkAllocateMemory".
  static int n_calls(const std::string& function);
  /// The function that was made to fail; empty when none was.
  static std::string failed_function();
  static vulkan::TableHook hook();
};

}  // namespace kinglet::test
