#include "inference/cpu/tile_store.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/tile_store.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which it needs.
#include "inference/cpu/gates-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kTileRows>;
using OneFloat = hn::CappedTag<float, 1>;

/// Values of rows r and on, of a token's sums.
template <class Tag>
HWY_INLINE hn::Vec<Tag> value(Tag tag, const TileSums& tile, std::uint32_t token, std::size_t r) {
  const auto sum = hn::LoadU(tag, tile.sums + token * std::size_t{kTileRows} + r);
  const auto biased = tile.bias == nullptr ? sum : hn::Add(sum, hn::LoadU(tag, tile.bias + r));
  return hn::Mul(biased, hn::Set(tag, tile.scale));
}

/// Calls store(tag, token, r, out) for the rows r and on of a token: whole vectors, then rows
/// alone.
template <class Store>
HWY_INLINE void for_rows(const TileOut& to, const Store& store) {
  const std::size_t lanes = hn::Lanes(Floats());
  for (std::uint32_t token = 0; token < to.n_tokens; ++token) {
    float* const out = to.out + token * to.out_stride;
    std::size_t r = 0;
    for (; r + lanes <= to.n_rows; r += lanes)
      store(Floats(), token, r, out + r);
    for (; r < to.n_rows; ++r)
      store(OneFloat(), token, r, out + r);
  }
}

void store_all(const TileSums& tile, const TileOut& to) {
  for_rows(to, [&](auto tag, std::uint32_t token, std::size_t r, float* out) {
    hn::StoreU(value(tag, tile, token, r), tag, out);
  });
}

void add_all(const TileSums& tile, const TileOut& to) {
  for_rows(to, [&](auto tag, std::uint32_t token, std::size_t r, float* out) {
    hn::StoreU(hn::Add(hn::LoadU(tag, out), value(tag, tile, token, r)), tag, out);
  });
}

void gelu_all(const TileSums& tile, const TileOut& to) {
  for_rows(to, [&](auto tag, std::uint32_t token, std::size_t r, float* out) {
    hn::StoreU(gelu_of(tag, value(tag, tile, token, r)), tag, out);
  });
}

void swi_glu_all(const TileSums& gate, const TileSums& up, const TileOut& to) {
  for_rows(to, [&](auto tag, std::uint32_t token, std::size_t r, float* out) {
    const auto silu = silu_of(tag, value(tag, gate, token, r));
    hn::StoreU(hn::Mul(silu, value(tag, up, token, r)), tag, out);
  });
}

void ge_glu_all(const TileSums& gate, const TileSums& up, const TileOut& to) {
  for_rows(to, [&](auto tag, std::uint32_t token, std::size_t r, float* out) {
    const auto gelu = gelu_of(tag, value(tag, gate, token, r));
    hn::StoreU(hn::Mul(gelu, value(tag, up, token, r)), tag, out);
  });
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(store_all);
HWY_EXPORT(add_all);
HWY_EXPORT(gelu_all);
HWY_EXPORT(swi_glu_all);
HWY_EXPORT(ge_glu_all);

void store_tile(const TileSums& tile, const TileOut& out) {
  HWY_DYNAMIC_DISPATCH(store_all)(tile, out);
}

void add_tile(const TileSums& tile, const TileOut& out) {
  HWY_DYNAMIC_DISPATCH(add_all)(tile, out);
}

void gelu_tile(const TileSums& tile, const TileOut& out) {
  HWY_DYNAMIC_DISPATCH(gelu_all)(tile, out);
}

void swi_glu_tile(const TileSums& gate, const TileSums& up, const TileOut& out) {
  HWY_DYNAMIC_DISPATCH(swi_glu_all)(gate, up, out);
}

void ge_glu_tile(const TileSums& gate, const TileSums& up, const TileOut& out) {
  HWY_DYNAMIC_DISPATCH(ge_glu_all)(gate, up, out);
}

}  // namespace kinglet::inference::cpu
#endif
