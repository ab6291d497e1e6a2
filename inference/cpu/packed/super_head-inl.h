// The scales and offsets of a packed super-block; layout in super_block.h. Included once for each
// SIMD target, inside HWY_BEFORE_NAMESPACE.
#if defined(KINGLET_PACKED_SUPER_HEAD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_PACKED_SUPER_HEAD_INL
#undef KINGLET_PACKED_SUPER_HEAD_INL
#else
#define KINGLET_PACKED_SUPER_HEAD_INL
#endif

#include "inference/cpu/packed/super_block.h"
#include "inference/cpu/packed/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

class SuperHead {
 public:
  SuperHead(const std::byte* head, std::size_t /*n_blocks*/) : head_(head) {
    constexpr std::size_t kStep = 4 * kRowLanes;
    for (std::size_t i = 0; i < kLine; i += kStep) {
      const Bytes low_first = load_bytes(head + kLine + i);
      const Bytes low_second = load_bytes(head + 2 * kLine + i);
      const Bytes upper = load_bytes(head + 3 * kLine + i);
      store_bytes(bit_or(shift_and<0>(low_first, 15), shift_and<4>(upper, 0x30)), scales_ + i);
      store_bytes(bit_or(shift_and<0>(low_second, 15), shift_and<0>(upper, 0x30)),
                  scales_ + kLine + i);
      store_bytes(bit_or(shift_and<-4>(low_first, 15), shift_and<2>(upper, 0x30)), mins_ + i);
      store_bytes(bit_or(shift_and<-4>(low_second, 15), shift_and<-2>(upper, 0x30)),
                  mins_ + kLine + i);
    }
  }

  Floats scale(std::size_t block, std::size_t /*half*/, std::size_t part) const {
    return mul(load_halves(head_ + part * 2 * kRowLanes),
               load_unsigned(scales_ + block * kPackedRows + part * kRowLanes));
  }
  Floats offset(std::size_t block, std::size_t part) const {
    const Floats d_min = load_halves(head_ + std::size_t{2} * kPackedRows + part * 2 * kRowLanes);
    return mul(mul(d_min, splat(-1.0F)),
               load_unsigned(mins_ + block * kPackedRows + part * kRowLanes));
  }

 private:
  const std::byte* head_;
  alignas(kLine) std::uint8_t scales_[kSubBlocks * kPackedRows];
  alignas(kLine) std::uint8_t mins_[kSubBlocks * kPackedRows];
};

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
