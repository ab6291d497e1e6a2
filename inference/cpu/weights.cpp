#include "inference/cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <cassert>

#include "inference/gguf.h"

namespace kinglet::inference::cpu {

namespace {

/// Where the list of a role and a layer is kept; made when it is not there.
template <class T>
std::vector<T>& entry(std::array<std::vector<std::vector<T>>, kRoleCount>& all,
                      Role role,
                      std::uint32_t layer) {
  auto& layers = all[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  layers.resize(std::max(layers.size(), index + 1));
  return layers[index];
}

template <class T>
std::span<const T> find(const std::array<std::vector<std::vector<T>>, kRoleCount>& all,
                        Role role,
                        std::uint32_t layer) {
  const auto& layers = all[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  return index < layers.size() ? std::span<const T>(layers[index]) : std::span<const T>();
}

/// Whether all numbers of a tensor are, asked by all threads.
bool is_finite(const TensorInfo& tensor, ThreadPool& threads) {
  const std::size_t block_bytes = tensor.format().block_bytes;
  const std::size_t piece = (std::size_t{256} << 10) / block_bytes * block_bytes;
  const auto n_pieces = static_cast<std::uint32_t>((tensor.data.size() + piece - 1) / piece);
  std::atomic<bool> finite = true;
  threads.for_each(n_pieces, [&](std::uint32_t i, std::uint32_t) {
    const std::size_t begin = i * piece;
    const std::size_t n = std::min(piece, tensor.data.size() - begin);
    if (!tensor.format().all_finite(tensor.data.subspan(begin, n))) finite = false;
  });
  return finite;
}

}  // namespace

Matrix matrix_of(const Weight& weight) {
  return {.format = find_format(weight.format->type),
          .rows = weight.data.data(),
          .row_bytes = weight.row_bytes(),
          .n_rows = weight.n_rows,
          .n_columns = weight.n_columns};
}

Result<Weights> Weights::place(const Model& model, ThreadPool& threads) {
  for (const TensorInfo& tensor : model.gguf().tensors()) {
    if (!is_finite(tensor, threads)) TRY(model.gguf().check_finite(tensor));
  }
  Weights weights;
  const Architecture& architecture = model.architecture();
  const auto read_all = [&](std::span<const Op> ops, std::uint32_t layer) {
    for (const Op& op : ops)
      weights.read(model, op, layer);
  };
  read_all(architecture.embed, 0);
  for (std::uint32_t layer = 0; layer < model.hyper_parameters().n_layers; ++layer)
    read_all(architecture.layer, layer);
  read_all(architecture.output, 0);
  return weights;
}

void Weights::read(const Model& model, const Op& op, std::uint32_t layer) {
  if (op.bias) read_vector(model, *op.bias, layer);
  if (!op.weight || op.kind == OpKind::kEmbed) return;
  if (op.kind != OpKind::kMatMul) return read_vector(model, *op.weight, layer);
  Matrix all = matrix_of(model.required(*op.weight, layer));
  std::vector<Matrix>& parts = entry(matrices_, *op.weight, layer);
  parts.clear();
  const std::uint32_t n_parts = op.out == Slot::kGateUp ? 2 : 1;
  assert(all.n_rows % n_parts == 0);
  all.n_rows /= n_parts;
  for (std::uint32_t i = 0; i < n_parts; ++i) {
    parts.push_back(all);
    all.rows += all.n_rows * all.row_bytes;
  }
}

void Weights::read_vector(const Model& model, Role role, std::uint32_t layer) {
  const Weight* weight = model.weight(role, layer);
  if (weight == nullptr) return;
  std::vector<float>& vector = entry(vectors_, role, layer);
  vector.resize(weight->n_columns);
  weight->format->dequantize(weight->data, vector);
}

std::span<const Matrix> Weights::matrices(Role role, std::uint32_t layer) const {
  return find(matrices_, role, layer);
}

const float* Weights::vector(Role role, std::uint32_t layer) const {
  const std::span<const float> found = find(vectors_, role, layer);
  return found.empty() ? nullptr : found.data();
}

}  // namespace kinglet::inference::cpu
