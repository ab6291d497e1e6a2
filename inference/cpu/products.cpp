#include "inference/cpu/products.h"

#include <algorithm>
#include <cassert>

#include "inference/cpu/elementwise.h"
#include "inference/cpu/mat_mul.h"
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

/// Floats for the sums of a thread: of two tiles, or for one token of two sets.
std::size_t n_scratch(std::uint32_t most_tokens) {
  return std::size_t{2} * std::max(most_tokens, kMostTiles) * kTileRows;
}

/// Tiles that are read side by side: for one token, and where all threads have some sets of them.
std::uint32_t set_size(const ProductJob& job, std::uint32_t n_all, std::uint32_t n_threads) {
  constexpr std::uint32_t kSetsOfThread = 4;
  if (job.n_tokens > 1) return 1;
  return std::clamp<std::uint32_t>(n_all / (kSetsOfThread * n_threads), 1, kMostTiles);
}

/// A product's tiles in sets of which each goes through the matrix at as many places.
class TileSets {
 public:
  TileSets(const Matrix& matrix, std::uint32_t size)
      : n_tiles_(n_tiles(matrix)), n_sets_((n_tiles_ + size - 1) / size) {}

  std::uint32_t n() const { return n_sets_; }
  TileSet at(std::uint32_t set) const {
    return {.first = set, .step = n_sets_, .n = (n_tiles_ - set + n_sets_ - 1) / n_sets_};
  }

 private:
  std::uint32_t n_tiles_;
  std::uint32_t n_sets_;
};

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
      scratch_(hwy::AllocateAligned<float>(threads.n_threads() * n_scratch(most_tokens))) {
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
  // Sets of all products one after the other; of a unit's two products, side by side.
  const std::uint32_t n_lists = is_unit(job.ending) ? 1 : job.products.size();
  std::uint32_t n_all = 0;
  for (std::uint32_t i = 0; i < n_lists; ++i)
    n_all += n_tiles(*job.products[i].matrix);
  const std::uint32_t size = set_size(job, n_all, threads_.n_threads());
  std::uint32_t n_sets = 0;
  for (std::uint32_t i = 0; i < n_lists; ++i)
    n_sets += TileSets(*job.products[i].matrix, size).n();
  const std::uint64_t set_work = std::uint64_t{size} * kTileRows * job.n_tokens *
                                 job.products.front().matrix->n_columns *
                                 (is_unit(job.ending) ? 2 : 1);
  const std::uint32_t share = (n_sets + threads_.n_threads() - 1) / threads_.n_threads();
  const std::uint32_t per_item =
      set_work * n_sets < kSmallWork
          ? n_sets
          : static_cast<std::uint32_t>(std::clamp<std::uint64_t>(kItemWork / set_work, 1, share));
  threads_.for_each((n_sets + per_item - 1) / per_item,
                    [&](std::uint32_t item, std::uint32_t thread) {
                      float* const scratch = scratch_.get() + thread * n_scratch(most_tokens_);
                      const std::uint32_t end = std::min((item + 1) * per_item, n_sets);
                      for (std::uint32_t at = item * per_item; at < end; ++at) {
                        std::size_t product = 0;
                        std::uint32_t set = at;
                        TileSets sets(*job.products[0].matrix, size);
                        for (; product + 1 < n_lists && set >= sets.n();
                             sets = {*job.products[product].matrix, size}) {
                          set -= sets.n();
                          ++product;
                        }
                        compute(job, product, sets.at(set), scratch);
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
                         TileSet tiles,
                         float* scratch) {
  float* const second = scratch + std::size_t{tiles.n} * job.n_tokens * kTileRows;
  sum_tiles(job, *job.products[product].matrix, tiles, scratch);
  if (is_unit(job.ending)) sum_tiles(job, *job.products[1].matrix, tiles, second);
  for (std::uint32_t i = 0; i < tiles.n; ++i) {
    const std::uint32_t row = (tiles.first + i * tiles.step) * kTileRows;
    const std::size_t begin = std::size_t{i} * job.n_tokens * kTileRows;
    const auto sums_of = [&](std::size_t index, const float* sums) {
      const Product& one = job.products[index];
      return TileSums{sums + begin, one.bias == nullptr ? nullptr : one.bias + row, one.scale};
    };
    const Product& to = job.products[product];
    const TileOut out = {.out = to.out + row,
                         .out_stride = to.out_stride,
                         .n_tokens = job.n_tokens,
                         .n_rows = std::min(kTileRows, to.matrix->n_rows - row)};
    const TileSums first = sums_of(product, scratch);
    switch (job.ending) {
      case Ending::kStore:
        store_tile(first, out);
        break;
      case Ending::kAdd:
        add_tile(first, out);
        break;
      case Ending::kGelu:
        gelu_tile(first, out);
        break;
      case Ending::kSwiGlu:
        swi_glu_tile(first, sums_of(1, second), out);
        break;
      case Ending::kGeGlu:
        ge_glu_tile(first, sums_of(1, second), out);
        break;
    }
  }
}

void Multiplier::sum_tiles(const ProductJob& job,
                           const Matrix& matrix,
                           TileSet tiles,
                           float* sums) const {
  if (takes_bytes(job, matrix))
    return multiply_tiles(*matrix.packed, tiles, bytes_, 0, job.n_tokens, sums);
  for (; tiles.n > 0; tiles.first += tiles.step, --tiles.n) {
    const MatMul rows = {
        .format = matrix.format,
        .weights = matrix.rows + std::size_t{tiles.first} * kTileRows * matrix.row_bytes,
        .row_bytes = matrix.row_bytes,
        .n_columns = matrix.n_columns,
        .x = job.x,
        .x_stride = job.x_stride,
        .out = sums,
        .out_stride = kTileRows,
        .n_tokens = job.n_tokens,
    };
    mat_mul(rows, 0, std::min(kTileRows, matrix.n_rows - tiles.first * kTileRows));
    sums += std::size_t{job.n_tokens} * kTileRows;
  }
}

}  // namespace kinglet::inference::cpu
