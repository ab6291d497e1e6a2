// A model's weights as the CPU's operations read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/base/result.h"
#include "inference/cpu/formats.h"
#include "inference/cpu/thread_pool.h"
#include "inference/model.h"

namespace kinglet::inference::cpu {

/// Rows of a weight that lie side by side.
struct Matrix {
  const Format* format = nullptr;
  const std::byte* rows = nullptr;  ///< in the file's blocks, row_bytes apart
  std::size_t row_bytes = 0;
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
};

/// All of the weight's rows.
Matrix matrix_of(const Weight& weight);

class Weights {
 public:
  /// Reads all tensors once, on all threads. Errors: kNumeric names one with numbers that are none.
  /// REQUIRES formats that the CPU has kernels for.
  static Result<Weights> place(const Model& model, ThreadPool& threads);

  /// Of a kMatMul: a matrix for each part of its output, one below the other; a kGateUp has two
  /// parts, all others are one.
  std::span<const Matrix> matrices(Role role, std::uint32_t layer) const;

  /// Of norms, and biases. Null for an optional one that the model lacks.
  const float* vector(Role role, std::uint32_t layer) const;

 private:
  void read(const Model& model, const Op& op, std::uint32_t layer);
  void read_vector(const Model& model, Role role, std::uint32_t layer);

  template <class T>
  using ByRoleAndLayer = std::array<std::vector<std::vector<T>>, kRoleCount>;

  ByRoleAndLayer<Matrix> matrices_;
  ByRoleAndLayer<float> vectors_;
};

}  // namespace kinglet::inference::cpu
