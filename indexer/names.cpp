#include "indexer/names.h"

#include <algorithm>

#include "indexer/clean_text.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxNameBytes = 128;

// Eight bytes at a time; names are short, and nobody gains more by collisions than a slow file
// within its budget.
std::uint32_t hash_of(std::string_view name) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15;
  std::uint64_t hash = name.size() * kFactor;
  while (name.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, name.data(), 8);
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 29;
    name.remove_prefix(8);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, name.data(), name.size());
  hash = (hash ^ word) * kFactor;
  return static_cast<std::uint32_t>(hash >> 32);
}

// In the order of the names, as far as eight bytes tell.
std::uint64_t first_bytes(std::string_view name) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < 8; ++i)
    bytes = bytes << 8 | (i < name.size() ? static_cast<unsigned char>(name[i]) : 0U);
  return bytes;
}

}  // namespace

std::optional<std::uint32_t> NameTable::add(std::string_view name) {
  if (name.size() > kMaxNameBytes) return std::nullopt;
  const std::uint32_t hash = hash_of(name);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const std::uint32_t number = slots_[slot] - 1;
    if (hashes_[number] == hash && names_[number] == name) return number;
  }
  if (!is_clean(name)) return std::nullopt;
  const auto number = static_cast<std::uint32_t>(names_.size());
  slots_[slot] = number + 1;
  hashes_.push_back(hash);
  names_.push_back(name);
  if (names_.size() * 2 > slots_.size()) grow();
  return number;
}

void NameTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t number = 0; number < names_.size(); ++number) {
    std::size_t slot = hashes_[number] & mask;
    while (slots_[slot] != 0)
      slot = (slot + 1) & mask;
    slots_[slot] = number + 1;
  }
}

std::vector<std::uint32_t> NameTable::sort(std::vector<std::string>& sorted) const {
  // Most comparisons end within eight bytes, which one number holds in their order.
  struct Key {
    std::uint64_t begin;
    std::uint32_t number;
  };
  std::vector<Key> order(names_.size());
  for (std::uint32_t number = 0; number < order.size(); ++number)
    order[number] = {first_bytes(names_[number]), number};
  std::sort(order.begin(), order.end(), [&](const Key& a, const Key& b) {
    return a.begin != b.begin ? a.begin < b.begin : names_[a.number] < names_[b.number];
  });
  std::vector<std::uint32_t> new_numbers(names_.size());
  sorted.reserve(sorted.size() + order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    new_numbers[order[i].number] = i;
    sorted.emplace_back(names_[order[i].number]);
  }
  return new_numbers;
}

}  // namespace kinglet::indexer
