#include "inference/cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <map>
#include <set>

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

// How far ahead of what is read the system is told to fetch.
constexpr std::uint64_t kPrefetchBytes = std::uint64_t{128} << 20;
// What is read between two releases of the file's pages.
constexpr std::uint64_t kSliceBytes = std::uint64_t{16} << 20;
// What one thread reads at a time: little enough to be looked at twice in a core's cache.
constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;

/// The part of a tensor that `matrix` is, and where its packed form goes.
struct Packing {
  const Matrix* matrix;
  PackedMatrix* packed;
};

/// Reads tensors, on all threads.
class Reader {
 public:
  Reader(const Model& model, ThreadPool& threads, const std::function<void(float)>& progress)
      : model_(model), threads_(threads), progress_(progress) {
    for (const TensorInfo& tensor : model.gguf().tensors())
      n_bytes_ += tensor.data.size();
  }

  /// In the order of the file. `packings` by where their rows begin; tensors that are in `kept`
  /// stay in memory where `releases`, the others leave it.
  Result<void> read(const std::map<const std::byte*, Packing>& packings,
                    const std::set<const std::byte*>& kept,
                    bool releases) {
    const std::span<const TensorInfo> tensors = model_.gguf().tensors();
    std::size_t n_fetched = 0;
    std::uint64_t n_ahead = 0;
    for (const TensorInfo& tensor : tensors) {
      for (; n_fetched < tensors.size() && n_ahead < kPrefetchBytes; ++n_fetched) {
        model_.gguf().prefetch(tensors[n_fetched].data);
        n_ahead += tensors[n_fetched].data.size();
      }
      const bool stays = !releases || kept.contains(tensor.data.data());
      const std::byte* const end = tensor.data.data() + tensor.data.size();
      bool is_finite = true;
      auto packing = packings.lower_bound(tensor.data.data());
      if (packing == packings.end() || packing->first >= end) {
        is_finite = check(tensor, stays);
      }
      for (; packing != packings.end() && packing->first < end; ++packing)
        is_finite &= pack(tensor, packing->second, stays);
      // Says what is wrong, and with which.
      if (!is_finite) TRY(model_.gguf().check_finite(tensor));
      n_ahead -= tensor.data.size();
    }
    return {};
  }

 private:
  /// Whether all numbers of a tensor are.
  bool check(const TensorInfo& tensor, bool stays) {
    const std::size_t block = tensor.format().block_bytes;
    return in_slices(tensor.data, block, stays, [&](std::size_t begin, std::size_t n) {
      return tensor.format().all_finite(tensor.data.subspan(begin, n));
    });
  }

  /// The same of a matrix, which is packed.
  bool pack(const TensorInfo& tensor, const Packing& packing, bool stays) {
    const Matrix& matrix = *packing.matrix;
    const std::size_t tile = kPackedRows * matrix.row_bytes;
    const std::span<const std::byte> rows(matrix.rows, matrix.n_rows * matrix.row_bytes);
    return in_slices(rows, tile, stays, [&](std::size_t begin, std::size_t n) {
      if (!tensor.format().all_finite(rows.subspan(begin, n))) return false;
      for (std::size_t at = begin; at < begin + n; at += tile) {
        const auto index = static_cast<std::uint32_t>(at / tile);
        packing.packed->pack_tile(index, rows.data() + at, matrix.row_bytes);
      }
      return true;
    });
  }

  /// Calls read(begin, n) on all threads for pieces that begin at multiples of `step`, a slice at a
  /// time, which then leaves memory unless it stays. Whether all calls were true.
  template <class Read>
  bool in_slices(std::span<const std::byte> bytes, std::size_t step, bool stays, const Read& read) {
    const std::size_t piece = std::max<std::size_t>(kPieceBytes / step, 1) * step;
    const std::size_t slice = (kSliceBytes + piece - 1) / piece * piece;
    std::atomic<bool> all = true;
    for (std::size_t first = 0; first < bytes.size(); first += slice) {
      const std::size_t n_slice = std::min(slice, bytes.size() - first);
      const auto n_pieces = static_cast<std::uint32_t>((n_slice + piece - 1) / piece);
      threads_.for_each(n_pieces, [&](std::uint32_t i, std::uint32_t) {
        const std::size_t begin = first + i * piece;
        if (!read(begin, std::min(piece, first + n_slice - begin))) all = false;
      });
      if (!stays) model_.gguf().release(bytes.subspan(first, n_slice));
      n_read_ += n_slice;
      if (progress_) progress_(static_cast<float>(n_read_) / static_cast<float>(n_bytes_));
    }
    return all;
  }

  const Model& model_;
  ThreadPool& threads_;
  const std::function<void(float)>& progress_;
  std::uint64_t n_bytes_ = 0;
  std::uint64_t n_read_ = 0;
};

}  // namespace

Matrix matrix_of(const Weight& weight) {
  return {.format = find_format(weight.format->type),
          .rows = weight.data.data(),
          .row_bytes = weight.row_bytes(),
          .n_rows = weight.n_rows,
          .n_columns = weight.n_columns};
}

Result<Weights> Weights::place(const Model& model,
                               Activations activations,
                               ThreadPool& threads,
                               const std::function<void(float)>& progress) {
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
  const bool packs = activations == Activations::kInt8;
  if (packs) TRY(weights.reserve_packed());
  weights.n_bytes_ = weights.arena_.size();

  std::map<const std::byte*, Packing> packings;
  std::set<const std::byte*> kept;
  for (const auto& layers : weights.matrices_) {
    for (const std::vector<Matrix>& parts : layers) {
      for (const Matrix& part : parts) {
        if (part.packed == nullptr) {
          // Of a weight in parts, the first is where its tensor begins.
          if (kept.insert(part.rows).second) weights.n_bytes_ += part.n_rows * part.row_bytes;
        } else {
          // What is const for those who multiply is not yet.
          packings[part.rows] = {&part, const_cast<PackedMatrix*>(part.packed)};
        }
      }
    }
  }
  TRY(Reader(model, threads, progress).read(packings, kept, packs));
  return weights;
}

Result<void> Weights::reserve_packed() {
  // A tensor may have two roles (tied output): it is packed once.
  std::map<const std::byte*, PackedMatrix*> known;
  std::size_t n_all = 0;
  const auto for_each = [&](const auto& body) {
    known.clear();
    for (auto& layers : matrices_) {
      for (std::vector<Matrix>& parts : layers) {
        for (Matrix& part : parts) {
          if (is_packable(part.format->type)) body(part);
        }
      }
    }
  };
  const auto bytes_of = [](const Matrix& part) {
    return PackedMatrix::bytes_of(part.format->type, part.n_rows, part.n_columns);
  };
  for_each([&](const Matrix& part) {
    if (known.emplace(part.rows, nullptr).second) n_all += bytes_of(part);
  });
  arena_ = TRY(Arena::create(n_all, "packed weights"));
  std::byte* memory = arena_.begin();
  for_each([&](Matrix& part) {
    const auto [entry, is_new] = known.emplace(part.rows, nullptr);
    if (is_new) {
      packed_.emplace_back(part.format->type, part.n_rows, part.n_columns, memory);
      memory += bytes_of(part);
      entry->second = &packed_.back();
    }
    part.packed = entry->second;
  });
  return {};
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
