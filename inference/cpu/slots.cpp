#include "inference/cpu/slots.h"

#include <algorithm>

#include "inference/cpu/formats.h"

namespace kinglet::inference::cpu {

namespace {

constexpr Slot kWholes[] = {
    Slot::kResidual,
    Slot::kNormed,
    Slot::kQkv,
    Slot::kAttended,
    Slot::kGateUp,
    Slot::kGated,
    Slot::kProjected,
};

}  // namespace

std::uint64_t Slots::n_bytes(const HyperParameters& hyper_parameters, std::uint32_t n_tokens) {
  std::uint64_t n_floats = 0;
  for (const Slot slot : kWholes)
    n_floats += padded(place_of(slot, hyper_parameters).size);
  return n_floats * n_tokens * sizeof(float);
}

std::uint32_t Slots::most_numbers(const HyperParameters& hyper_parameters) {
  std::uint32_t most = 0;
  for (const Slot slot : kWholes)
    most = std::max(most, place_of(slot, hyper_parameters).size);
  return most;
}

Slots::Slots(const HyperParameters& hyper_parameters, std::uint32_t n_tokens) {
  for (const Slot slot : kWholes) {
    const std::size_t n = padded(place_of(slot, hyper_parameters).size) * n_tokens + kPadding;
    auto& memory = wholes_[static_cast<std::size_t>(slot)];
    memory = hwy::AllocateAligned<float>(n);
    std::fill_n(memory.get(), n, 0.0F);
  }
  for (std::size_t i = 0; i < kSlotCount; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (slot == Slot::kLogits) continue;
    const SlotPlace place = place_of(slot, hyper_parameters);
    places_[i] = {wholes_[static_cast<std::size_t>(place.whole)].get() + place.offset,
                  padded(place_of(place.whole, hyper_parameters).size)};
  }
}

}  // namespace kinglet::inference::cpu
