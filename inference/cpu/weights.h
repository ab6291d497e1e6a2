// A model's weights as the CPU's operations read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "daemon/base/result.h"
#include "inference/backend.h"
#include "inference/cpu/formats.h"
#include "inference/cpu/memory.h"
#include "inference/cpu/packed.h"
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
  const PackedMatrix* packed = nullptr;  ///< the same for products with 8-bit activations, or null
};

/// All of the weight's rows.
Matrix matrix_of(const Weight& weight);

class Weights {
 public:
  /// Reads all tensors once, on all threads. With Activations::kInt8 matrices of blocks are packed,
  /// and the file's pages leave memory tensor by tensor: there is never more than one copy, but for
  /// some megabytes. Errors: kNumeric names a tensor with numbers that are none; kOutOfMemory.
  /// REQUIRES formats that the CPU has kernels for.
  static Result<Weights> place(const Model& model,
                               Activations activations,
                               ThreadPool& threads,
                               const std::function<void(float)>& progress);

  /// Of a kMatMul: a matrix for each part of its output, one below the other; a kGateUp has two
  /// parts, all others are one.
  std::span<const Matrix> matrices(Role role, std::uint32_t layer) const;

  /// Of norms, and biases. Null for an optional one that the model lacks.
  const float* vector(Role role, std::uint32_t layer) const;

  /// Bytes of the matrices that are multiplied, packed or in the file.
  std::uint64_t n_bytes() const { return n_bytes_; }

 private:
  void read(const Model& model, const Op& op, std::uint32_t layer);
  void read_vector(const Model& model, Role role, std::uint32_t layer);
  /// Makes room for the packed form of all matrices that have one.
  Result<void> reserve_packed();

  template <class T>
  using ByRoleAndLayer = std::array<std::vector<std::vector<T>>, kRoleCount>;

  ByRoleAndLayer<Matrix> matrices_;
  ByRoleAndLayer<float> vectors_;
  Arena arena_;
  std::deque<PackedMatrix> packed_;  // in arena_
  std::uint64_t n_bytes_ = 0;
};

}  // namespace kinglet::inference::cpu
