// Where a name stands in a sorted table of names: open addressing with linear probing, some five
// bytes a name. Thousands of names are looked up for one prompt, in each of an index's segments,
// and most are in none of them; a binary search misses the cache a dozen times for each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <vector>

// Header only: nothing to link or to install beside the program.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kinglet::indexer {

class NameSlots {
 public:
  using allocator_type = std::pmr::polymorphic_allocator<>;
  NameSlots() = default;
  NameSlots(const NameSlots& other, allocator_type memory)
      : slots_(other.slots_, memory), id_bits_(other.id_bits_) {}

  static std::uint64_t hash(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

  /// `names`: distinct, by id.
  void build(const auto& names);
  /// `hash` is that of `name`.
  std::optional<std::uint32_t> find(const auto& names,
                                    std::string_view name,
                                    std::uint64_t hash) const;
  std::size_t memory() const { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  std::size_t first_place(std::uint64_t hash) const { return (hash >> 32) * slots_.size() >> 32; }
  std::size_t next_place(std::size_t place) const {
    return place + 1 == slots_.size() ? 0 : place + 1;
  }
  // What of the hash fits above an id: spares most comparisons with another name.
  std::uint32_t tag(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash << id_bits_);
  }
  std::uint32_t id_mask() const {
    return static_cast<std::uint32_t>((std::uint64_t{1} << id_bits_) - 1);
  }

  std::pmr::vector<std::uint32_t> slots_;  // tag, and id + 1 in the low bits; 0: empty
  unsigned id_bits_ = 0;
};

void NameSlots::build(const auto& names) {
  const auto n_names = static_cast<std::uint32_t>(names.size());
  id_bits_ = static_cast<unsigned>(std::bit_width(n_names));
  slots_.assign(n_names + n_names / 3 + 1, 0);
  slots_.shrink_to_fit();
  for (std::uint32_t id = 0; id < n_names; ++id) {
    const std::uint64_t hash_of_name = hash(names[id]);
    std::size_t place = first_place(hash_of_name);
    while (slots_[place] != 0)
      place = next_place(place);
    slots_[place] = tag(hash_of_name) | (id + 1);
  }
}

std::optional<std::uint32_t> NameSlots::find(const auto& names,
                                             std::string_view name,
                                             std::uint64_t hash) const {
  if (slots_.empty()) return std::nullopt;
  for (std::size_t place = first_place(hash); slots_[place] != 0; place = next_place(place)) {
    const std::uint32_t slot = slots_[place];
    if ((slot & ~id_mask()) != tag(hash)) continue;
    const std::uint32_t id = (slot & id_mask()) - 1;
    if (names[id] == name) return id;
  }
  return std::nullopt;
}

}  // namespace kinglet::indexer
