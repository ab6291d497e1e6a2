#include <algorithm>
#include <array>
#include <iterator>

#include "tests/fuzz/fuzz_target.h"

namespace kinglet::test {

extern const FuzzTarget kGbnfFuzz;
extern const FuzzTarget kGgufFuzz;
extern const FuzzTarget kJsonSchemaFuzz;
extern const FuzzTarget kLoraFuzz;
extern const FuzzTarget kPatternFuzz;
extern const FuzzTarget kShardsFuzz;
extern const FuzzTarget kTokenizerFuzz;
extern const FuzzTarget kVocabularyFuzz;

std::span<const FuzzTarget* const> all_fuzz_targets() {
  static constexpr const FuzzTarget* kAll[] = {&kGbnfFuzz,
                                               &kGgufFuzz,
                                               &kJsonSchemaFuzz,
                                               &kLoraFuzz,
                                               &kPatternFuzz,
                                               &kShardsFuzz,
                                               &kTokenizerFuzz,
                                               &kVocabularyFuzz};
  return kAll;
}

const FuzzTarget* find_fuzz_target(std::string_view name) {
  const auto targets = all_fuzz_targets();
  const auto found =
      std::find_if(targets.begin(), targets.end(), [&](auto* t) { return t->name == name; });
  return found == targets.end() ? nullptr : *found;
}

Bytes fuzz_input(const FuzzTarget& target, std::uint64_t seed) {
  Bytes bytes = target.good(seed / 8);
  // Damage upon damage, now and then.
  for (std::uint64_t n = seed % 8 == 0 ? 0 : 1 + (seed % 8 == 7 ? 3 : 0); n > 0; --n)
    target.spoil(bytes, seed * 4 + n);
  return bytes;
}

}  // namespace kinglet::test
