// volk finds and opens the Vulkan library; this is its one definition.
#define VOLK_IMPLEMENTATION
#include <volk.h>
