#include "inference/cpu/products.h"

#include <algorithm>
#include <cassert>

#include "inference/cpu/elementwise.h"
#include "inference/cpu/mat_mul.h"
#include "inference/cpu/packed.h"
#include "inference/cpu/tile_store.h"

namespace kinglet::inference::cpu {

namespace {

// Multiplications below which one thread is done before another wakes.
constexpr std::uint64_t kSmallWork = 1U << 17;
// Multiplications in one item of a job: long enough to hide the cost of taking it, short enough
// that threads end together.
constexpr std::uint64_t kItemWork = 1U << 16;

static_assert(kTileRows == kPackedRows);

constexpr std::uint32_t kPrepareTokens = 4;  // in one item

std::uint32_t n_tiles(const Matrix& matrix) {
  return (matrix.n_rows + kTileRows - 1) / kTileRows;
}

bool is_unit(Ending ending) {
  return ending == Ending::kSwiGlu || ending == Ending::kGeGlu;
}

/// Floats for two tiles of sums for each thread.
std::size_t n_scratch(std::uint32_t n_threads, std::uint32_t most_tokens) {
  return std::size_t{2} * n_threads * most_tokens * kTileRows;
}

/// Whether the matrix is multiplied with bytes in this job.
bool takes_bytes(const ProductJob& job, const Matrix& matrix) {
  return job.activations == Activations::kInt8 && matrix.packed != nullptr;
}

}  // namespace

void normalize(const Norm& norm, const float* in, std::size_t n, float* out) {
  if (norm.kind == OpKind::kRmsNorm) {
    rms_norm(in, norm.weight, n, norm.epsilon, out);
  } else {
    layer_norm(in, norm.weight, norm.bias, n, norm.epsilon, out);
  }
}

Multiplier::Multiplier(ThreadPool& threads,
                       Activations activations,
                       std::uint32_t most_tokens,
                       std::uint32_t most_columns)
    : threads_(threads),
      most_tokens_(most_tokens),
      scratch_(hwy::AllocateAligned<float>(n_scratch(threads.n_threads(), most_tokens))) {
  if (activations == Activations::kInt8) bytes_ = ByteActivations(most_tokens, most_columns);
}

std::uint64_t Multiplier::n_bytes(Activations activations,
                                  std::uint32_t most_tokens,
                                  std::uint32_t most_columns) {
  return activations == Activations::kF32 ? 0
                                          : ByteActivations(most_tokens, most_columns).n_bytes();
}

void Multiplier::multiply(const ProductJob& job) {
  prepare(job);
  // Tiles of all products one after the other; of a unit's two products, side by side.
  const std::uint32_t n_lists = is_unit(job.ending) ? 1 : job.products.size();
  std::uint32_t n_all = 0;
  for (std::uint32_t i = 0; i < n_lists; ++i)
    n_all += n_tiles(*job.products[i].matrix);
  const std::uint64_t tile_work = std::uint64_t{kTileRows} * job.n_tokens *
                                  job.products.front().matrix->n_columns *
                                  (is_unit(job.ending) ? 2 : 1);
  const std::uint32_t share = (n_all + threads_.n_threads() - 1) / threads_.n_threads();
  const std::uint32_t per_item =
      tile_work * n_all < kSmallWork
          ? n_all
          : static_cast<std::uint32_t>(std::clamp<std::uint64_t>(kItemWork / tile_work, 1, share));
  threads_.for_each(
      (n_all + per_item - 1) / per_item, [&](std::uint32_t item, std::uint32_t thread) {
        float* const scratch = scratch_.get() + n_scratch(thread, most_tokens_);
        const std::uint32_t end = std::min((item + 1) * per_item, n_all);
        for (std::uint32_t tile = item * per_item; tile < end; ++tile) {
          std::size_t product = 0;
          std::uint32_t first = 0;
          while (product + 1 < n_lists && tile - first >= n_tiles(*job.products[product].matrix))
            first += n_tiles(*job.products[product++].matrix);
          compute(job, product, tile - first, scratch);
        }
      });
}

void Multiplier::prepare(const ProductJob& job) {
  const std::uint32_t n_columns = job.products.front().matrix->n_columns;
  const bool in_bytes =
      std::any_of(job.products.begin(), job.products.end(), [&](const Product& product) {
        return takes_bytes(job, *product.matrix);
      });
  if (!in_bytes && !job.norm) return;
  const std::uint32_t n_items = (job.n_tokens + kPrepareTokens - 1) / kPrepareTokens;
  threads_.for_each(n_items, [&](std::uint32_t item, std::uint32_t) {
    const std::uint32_t end = std::min((item + 1) * kPrepareTokens, job.n_tokens);
    for (std::uint32_t token = item * kPrepareTokens; token < end; ++token) {
      float* const x = job.x + token * job.x_stride;
      if (job.norm) normalize(*job.norm, job.norm->in + token * job.norm->in_stride, n_columns, x);
      if (in_bytes) bytes_.quantize(token, {x, n_columns});
    }
  });
}

void Multiplier::compute(const ProductJob& job,
                         std::size_t product,
                         std::uint32_t tile,
                         float* scratch) {
  const std::uint32_t row = tile * kTileRows;
  const auto sums_of = [&](std::size_t index, float* sums) {
    const Product& one = job.products[index];
    sum_tile(job, *one.matrix, tile, sums);
    return TileSums{sums, one.bias == nullptr ? nullptr : one.bias + row, one.scale};
  };
  const Product& to = job.products[product];
  const TileOut out = {.out = to.out + row,
                       .out_stride = to.out_stride,
                       .n_tokens = job.n_tokens,
                       .n_rows = std::min(kTileRows, to.matrix->n_rows - row)};
  const TileSums first = sums_of(product, scratch);
  switch (job.ending) {
    case Ending::kStore:
      return store_tile(first, out);
    case Ending::kAdd:
      return add_tile(first, out);
    case Ending::kGelu:
      return gelu_tile(first, out);
    case Ending::kSwiGlu:
      return swi_glu_tile(first, sums_of(1, scratch + std::size_t{job.n_tokens} * kTileRows), out);
    case Ending::kGeGlu:
      return ge_glu_tile(first, sums_of(1, scratch + std::size_t{job.n_tokens} * kTileRows), out);
  }
  assert(false);
}

void Multiplier::sum_tile(const ProductJob& job,
                          const Matrix& matrix,
                          std::uint32_t tile,
                          float* sums) const {
  if (takes_bytes(job, matrix)) {
    return multiply_tile(*matrix.packed, tile, bytes_, 0, job.n_tokens, sums);
  }
  const MatMul rows = {
      .format = matrix.format,
      .weights = matrix.rows + std::size_t{tile} * kTileRows * matrix.row_bytes,
      .row_bytes = matrix.row_bytes,
      .n_columns = matrix.n_columns,
      .x = job.x,
      .x_stride = job.x_stride,
      .out = sums,
      .out_stride = kTileRows,
      .n_tokens = job.n_tokens,
  };
  const std::uint32_t n_rows = std::min(kTileRows, matrix.n_rows - tile * kTileRows);
  mat_mul(rows, 0, n_rows);
}

}  // namespace kinglet::inference::cpu
