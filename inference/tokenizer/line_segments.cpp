#include "inference/tokenizer/line_segments.h"

#include <algorithm>
#include <array>
#include <vector>

namespace kinglet::inference {

bool splits_at_lines(const Tokenizer& tokenizer) {
  constexpr std::array<std::string_view, 6> kSamples = {"a;\nb\n",
                                                        "a;\n b\n",
                                                        "a {\n    b;\n}\n",
                                                        "a\n\tb\n",
                                                        "a:\n\t\tb)\n\n\n  c",
                                                        "a,\n\n        1\n"};
  return std::ranges::all_of(kSamples, [&](std::string_view text) {
    constexpr EncodeOptions kInside = {.space_prefix = SpacePrefix::kNever};
    std::vector<TokenId> tokens;
    for_each_line_segment(text, [&](std::string_view segment) {
      const std::vector<TokenId> part = tokenizer.encode(segment, kInside);
      tokens.insert(tokens.end(), part.begin(), part.end());
    });
    return tokens == tokenizer.encode(text, kInside);
  });
}

}  // namespace kinglet::inference
