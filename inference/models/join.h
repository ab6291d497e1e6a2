// Lists that are put together of lists, at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

namespace kinglet::inference {

template <class Part>
inline constexpr std::size_t kItemsOf = 1;
template <class Item, std::size_t n>
inline constexpr std::size_t kItemsOf<std::array<Item, n>> = n;

/// One list of items and of lists of items, in the order written.
template <class Item, class... Parts>
constexpr std::array<Item, (kItemsOf<Parts> + ...)> join(const Parts&... parts) {
  std::array<Item, (kItemsOf<Parts> + ...)> all = {};
  std::size_t n = 0;
  const auto append = [&](const auto& part) {
    if constexpr (std::is_convertible_v<decltype(part), Item>) {
      all[n++] = part;
    } else {
      for (const Item& item : part)
        all[n++] = item;
    }
  };
  (append(parts), ...);
  return all;
}

}  // namespace kinglet::inference
