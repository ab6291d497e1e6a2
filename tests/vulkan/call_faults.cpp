#include "tests/vulkan/call_faults.h"

#include <map>
#include <type_traits>

namespace kinglet::test {

namespace {

struct State {
  int left = 0;  // until the failing call; 0 and below: none to come
  VkResult result = VK_SUCCESS;
  int n_calls = 0;
  std::string failing;      // the function whose calls count, if not those of any
  int left_of_failing = 0;  // as left
  std::string failed;
  std::map<std::string, int> n_calls_by_function;
};

State& state() {
  static State the_state;
  return the_state;
}

// One wrapper function for each member of the table; `real` is what it hides.
template <auto member, class Function>
struct Wrapper;

template <auto member, class... Arguments>
struct Wrapper<member, VkResult(VKAPI_PTR*)(Arguments...)> {
  static inline VkResult(VKAPI_PTR* real)(Arguments...) = nullptr;
  static inline const char* name = nullptr;

  static VKAPI_ATTR VkResult VKAPI_CALL call(Arguments... arguments) {
    State& now = state();
    ++now.n_calls;
    ++now.n_calls_by_function[name];
    if (--now.left == 0 || (now.failing == name && --now.left_of_failing == 0)) {
      now.failed = name;
      return now.result;
    }
    return real(arguments...);
  }
};

template <auto member, class Function>
void wrap(vulkan::DeviceTable& table, Function function, const char* name) {
  if constexpr (std::is_same_v<VkResult, typename decltype(std::function(function))::result_type>) {
    using Wrapped = Wrapper<member, Function>;
    // The hook runs once a level; what is wrapped or not yet loaded stays.
    if (function == nullptr || function == Wrapped::call) return;
    Wrapped::real = function;
    Wrapped::name = name;
    table.*member = Wrapped::call;
  }
}

}  // namespace

void CallFaults::arm(int nth, VkResult result) {
  state() = {};
  state().left = nth;
  state().result = result;
}

void CallFaults::arm_function(const std::string& function, VkResult result, int nth) {
  arm(0, result);
  state().failing = function;
  state().left_of_failing = nth;
}

int CallFaults::n_calls() {
  return state().n_calls;
}

int CallFaults::n_calls(const std::string& function) {
  return state().n_calls_by_function[function];
}

std::string CallFaults::failed_function() {
  return state().failed;
}

vulkan::TableHook CallFaults::hook() {
  return [](vulkan::DeviceTable& table) {
#define KINGLET_WRAP(name) wrap<&vulkan::DeviceTable::name>(table, table.name, #name);
    KINGLET_VULKAN_GLOBAL_FUNCTIONS(KINGLET_WRAP)
    KINGLET_VULKAN_INSTANCE_FUNCTIONS(KINGLET_WRAP)
    KINGLET_VULKAN_DEVICE_FUNCTIONS(KINGLET_WRAP)
#undef KINGLET_WRAP
  };
}

}  // namespace kinglet::test
