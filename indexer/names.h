// The names of one file, numbered in order of appearance: most of what a record is made of.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer {

/// Names are views of the text that they were found in.
class NameTable {
 public:
  NameTable() : slots_(kFirstSlots, 0) {}

  /// Nothing for a name that is not fit for a record: too long, or with characters that are not to
  /// be seen.
  std::optional<std::uint32_t> add(std::string_view name);

  std::size_t size() const { return names_.size(); }
  std::string_view operator[](std::uint32_t number) const { return names_[number]; }

  /// Appends the names in order; the new number of each old one.
  std::vector<std::uint32_t> sort(std::vector<std::string>& sorted) const;

 private:
  static constexpr std::size_t kFirstSlots = 1024;  // a power of two

  void grow();

  std::vector<std::uint32_t> slots_;   // 1 + number of a name, 0: free
  std::vector<std::uint32_t> hashes_;  // by number
  std::vector<std::string_view> names_;
};

}  // namespace kinglet::indexer
