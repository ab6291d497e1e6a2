// The activations of a batch's tokens, in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <hwy/aligned_allocator.h>

#include "inference/models/architecture.h"

namespace kinglet::inference::cpu {

/// Of all slots but kLogits, for a number of tokens. A whole is (n_tokens, padded(size)), aligned
/// for vectors, and zeroed once, so that its padding is finite.
class Slots {
 public:
  Slots(const HyperParameters& hyper_parameters, std::uint32_t n_tokens);

  static std::uint64_t n_bytes(const HyperParameters& hyper_parameters, std::uint32_t n_tokens);
  /// Numbers of the longest slot there is.
  static std::uint32_t most_numbers(const HyperParameters& hyper_parameters);

  float* at(Slot slot, std::uint32_t token) const {
    const Place& place = places_[static_cast<std::size_t>(slot)];
    return place.begin + token * place.stride;
  }
  /// Floats from one token to the next.
  std::size_t stride(Slot slot) const { return places_[static_cast<std::size_t>(slot)].stride; }

 private:
  struct Place {
    float* begin = nullptr;
    std::size_t stride = 0;
  };

  std::array<hwy::AlignedFreeUniquePtr<float[]>, kSlotCount> wholes_;
  std::array<Place, kSlotCount> places_;
};

}  // namespace kinglet::inference::cpu
