#include "inference/cpu/packed.h"

#include <cassert>
#include <new>

#include <sys/mman.h>

#include "inference/cpu/packed/format.h"

namespace kinglet::inference::cpu {

bool is_packable(TensorType type) {
  return find_packed_format(type) != nullptr;
}

std::size_t PackedMatrix::bytes_of(TensorType type, std::uint32_t n_rows, std::uint32_t n_columns) {
  const std::size_t n_tiles = (std::size_t{n_rows} + kPackedRows - 1) / kPackedRows;
  return n_tiles * find_packed_format(type)->tile_bytes(n_columns);
}

PackedMatrix::PackedMatrix(TensorType type,
                           std::uint32_t n_rows,
                           std::uint32_t n_columns,
                           std::byte* memory)
    : format_(find_packed_format(type)),
      n_rows_(n_rows),
      n_columns_(n_columns),
      tile_bytes_(format_->tile_bytes(n_columns)),
      tiles_(memory) {
  assert(reinterpret_cast<std::uintptr_t>(memory) % kLine == 0);
}

PackedMatrix::PackedMatrix(TensorType type, std::uint32_t n_rows, std::uint32_t n_columns)
    : PackedMatrix(type, n_rows, n_columns, nullptr) {
  const std::size_t n_bytes = bytes_of(type, n_rows, n_columns);
  if (n_bytes == 0) return;
  void* memory =
      ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Fewer misses of the page tables' cache; without them it works as well.
  (void)::madvise(memory, n_bytes, MADV_HUGEPAGE);
  tiles_ = static_cast<std::byte*>(memory);
  memory_ = std::unique_ptr<std::byte, Unmap>(tiles_, Unmap{n_bytes});
}

void PackedMatrix::Unmap::operator()(std::byte* memory) const {
  ::munmap(memory, n_bytes);
}

void PackedMatrix::pack_tile(std::uint32_t tile, const std::byte* rows, std::size_t row_bytes) {
  assert(tile < n_tiles());
  const std::uint32_t n_left = n_rows_ - tile * kPackedRows;
  format_->pack(
      rows, row_bytes, std::min(n_left, kPackedRows), n_columns_, tiles_ + tile * tile_bytes_);
}

void multiply_tiles(const PackedMatrix& matrix,
                    TileSet tiles,
                    const ByteActivations& x,
                    std::uint32_t token_begin,
                    std::uint32_t token_end,
                    float* sums) {
  assert(tiles.n > 0 && token_begin <= token_end);
  assert(tiles.first + (tiles.n - 1) * tiles.step < matrix.n_tiles());
  matrix.format_->multiply({.first = matrix.tiles_ + tiles.first * matrix.tile_bytes_,
                            .stride = tiles.step * matrix.tile_bytes_,
                            .n = tiles.n},
                           matrix.n_columns_,
                           {x.columns(token_begin), x.stride(), token_end - token_begin},
                           sums);
}

}  // namespace kinglet::inference::cpu
