#include "inference/cpu/rotate_head.h"

#include <cmath>
#include <cstddef>

#include "inference/rotation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/rotate_head.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

/// Sums and differences of neighbours, of neighbouring pairs and so on, within a vector.
template <class D>
HWY_INLINE hn::Vec<D> turn_within(D floats, hn::Vec<D> x) {
  HWY_ALIGN static constexpr float kOf1[] = {1, -1, 1, -1, 1, -1, 1, -1};
  HWY_ALIGN static constexpr float kOf2[] = {1, 1, -1, -1, 1, 1, -1, -1};
  HWY_ALIGN static constexpr float kOf4[] = {1, 1, 1, 1, -1, -1, -1, -1};
  x = hn::MulAdd(x, hn::Load(floats, kOf1), hn::Shuffle2301(x));
  x = hn::MulAdd(x, hn::Load(floats, kOf2), hn::Shuffle1032(x));
  if constexpr (hn::MaxLanes(D()) == 8)
    x = hn::MulAdd(x, hn::Load(floats, kOf4), hn::SwapAdjacentBlocks(x));
  return x;
}

/// Sylvester's part, of n elements in runs of `sylvester`, a multiple of the lanes.
template <class D>
HWY_INLINE void turn_runs(D floats,
                          float* HWY_RESTRICT part,
                          std::size_t n,
                          std::size_t sylvester) {
  constexpr std::size_t kLanes = hn::MaxLanes(D());
  for (std::size_t i = 0; i < n; i += kLanes)
    hn::StoreU(turn_within(floats, hn::LoadU(floats, part + i)), floats, part + i);
  for (std::size_t half = kLanes; half < sylvester; half *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * half) {
      for (std::size_t j = i; j < i + half; j += kLanes) {
        const auto a = hn::LoadU(floats, part + j);
        const auto b = hn::LoadU(floats, part + j + half);
        hn::StoreU(hn::Add(a, b), floats, part + j);
        hn::StoreU(hn::Sub(a, b), floats, part + j + half);
      }
    }
  }
}

/// Paley's part: signs (order, order) times rows `step` apart, times the scale.
template <class D>
HWY_INLINE void turn_rows(D floats,
                          float* HWY_RESTRICT part,
                          std::uint32_t order,
                          std::size_t step,
                          const PaleySigns& signs,
                          float scale) {
  const auto factor = hn::Set(floats, scale);
  for (std::size_t at = 0; at < step; at += hn::MaxLanes(D())) {
    hn::Vec<D> rows[kMostPaley];
    for (std::uint32_t i = 0; i < order; ++i)
      rows[i] = hn::LoadU(floats, part + i * step + at);
    for (std::uint32_t i = 0; i < order; ++i) {
      auto sum = hn::Zero(floats);
      for (std::uint32_t j = 0; j < order; ++j)
        sum = hn::MulAdd(hn::Set(floats, signs[i][j]), rows[j], sum);
      hn::StoreU(hn::Mul(factor, sum), floats, part + i * step + at);
    }
  }
}

template <class D>
HWY_INLINE void turn_parts(
    D floats, float* head, std::uint32_t head_dim, Rotation rotation, Direction direction) {
  const std::size_t n = rotation.part();
  const float scale = 1 / std::sqrt(static_cast<float>(n));
  for (float* part = head; part < head + head_dim; part += n) {
    turn_runs(floats, part, n, rotation.sylvester);
    if (rotation.paley > 1) {
      const PaleySigns& signs = paley_signs(rotation.paley, direction);
      turn_rows(floats, part, rotation.paley, rotation.sylvester, signs, scale);
    } else {
      for (std::size_t i = 0; i < n; i += hn::MaxLanes(D())) {
        const auto x = hn::LoadU(floats, part + i);
        hn::StoreU(hn::Mul(x, hn::Set(floats, scale)), floats, part + i);
      }
    }
  }
}

#endif

void turn_head(float* head, std::uint32_t head_dim, Direction direction) {
#if HWY_TARGET != HWY_SCALAR
  const Rotation rotation = rotation_of(head_dim);
  if (rotation.sylvester >= 8)
    return turn_parts(hn::CappedTag<float, 8>(), head, head_dim, rotation, direction);
  if (rotation.sylvester == 4)
    return turn_parts(hn::CappedTag<float, 4>(), head, head_dim, rotation, direction);
#endif
  if (direction == Direction::kForth) return rotate({head, head_dim});
  unrotate({head, head_dim});
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(turn_head);

void rotate_head(float* head, std::uint32_t head_dim) {
  HWY_DYNAMIC_DISPATCH(turn_head)(head, head_dim, Direction::kForth);
}

void unrotate_head(float* head, std::uint32_t head_dim) {
  HWY_DYNAMIC_DISPATCH(turn_head)(head, head_dim, Direction::kBack);
}

}  // namespace kinglet::inference::cpu
#endif
