// Synthetic models of every architecture, in the shapes that go wrong: for each backend's
// conformance test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

struct ArchitectureShape {
  std::string name;
  SyntheticModel model;
  std::uint32_t n_tokens = 48;
};

/// Multi-head, grouped-query and multi-query attention, heads of 96 and of odd sizes, partial
/// rotary, tied and untied outputs, contexts past the original length by each way the architecture
/// has, windows smaller than the prompt, optional biases. Matrices are F32.
std::vector<ArchitectureShape> architecture_shapes(std::string_view architecture);

/// One whose rows are whole blocks of every format.
SyntheticModel blocked_shape(std::string_view architecture);

}  // namespace kinglet::test
