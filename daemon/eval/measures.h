// How near a completion comes to the text that was there. Pure text: each measure can be worked out
// by hand. Characters are Unicode code points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kinglet::daemon {

struct TextMeasures {
  bool is_exact = false;
  double edit_similarity = 0;
  double chrf = 0;
  double identifier_f1 = 0;
  std::size_t n_kept = 0;  // characters from the beginning up to the first that differs
};

/// How much of a completion is compared.
enum class Compared : std::uint8_t { kFirstLine, kWhole };

/// Blanks around either text do not count.
TextMeasures compare_texts(std::string_view completion, std::string_view gold, Compared compared);

/// 1 − Levenshtein's distance over the longer length; 1 for two empty texts.
double edit_similarity(std::string_view a, std::string_view b);

/// chrF2 (Popović 2015) as sacreBLEU computes it for one sentence: n-grams of 1 to 6 characters
/// without blanks, recall counting four times as much as precision. 0 to 1.
double chrf(std::string_view completion, std::string_view gold);

/// F1 of the identifiers, each as often as it stands there. 1 when neither text has any.
double identifier_f1(std::string_view completion, std::string_view gold);

}  // namespace kinglet::daemon
