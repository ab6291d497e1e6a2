// What the tests of every backend check alike, by doctest's CHECK: whole models against the float64
// reference, by precision class.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/inference/conformance.h"

namespace kinglet::test {

inline constexpr double kExact = 1e-4;
inline constexpr double kF16Cache = 2e-2;

struct BackendUnderTest {
  std::string name;
  std::function<std::unique_ptr<inference::Executor>(const LoadedModel&,
                                                     const inference::ExecutorOptions&)>
      make_executor;
  std::uint32_t n_tokens = 48;                // of shapes that say nothing else
  std::function<void()> after_model = [] {};  // what else must hold then
};

struct Shape {
  std::string name;
  SyntheticModel model;
  std::uint32_t n_tokens = 0;    // 0: the backend's
  std::uint32_t max_tokens = 0;  // of the sequence; 0: n_tokens
};

/// Shapes for formats without blocks: nothing is a multiple of anything.
std::vector<Shape> odd_shapes();

double error_of(const BackendUnderTest& backend,
                const LoadedModel& loaded,
                const Shape& shape,
                inference::KvFormat format);

/// Formats with blocks on `blocked` shapes, whose rows are whole blocks of every format; those
/// without also on `odd` ones; with an exact cache and one of halves.
void check_precision_classes(const BackendUnderTest& backend,
                             const std::vector<Shape>& blocked,
                             const std::vector<Shape>& odd);

void check_block_formats(const BackendUnderTest& backend);

/// Sequences of different lengths, with pages of their own and shared ones, continued together.
void check_sequences_together(const BackendUnderTest& backend);

/// decode_greedy() against the loop over forward(), past the point where backends make room for a
/// longer context.
void check_greedy_decoding(const BackendUnderTest& backend);

}  // namespace kinglet::test
