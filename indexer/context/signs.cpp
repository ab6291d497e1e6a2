// The weights are the mean of two fits (./dev bench weights, seeds 1 and 2) on 2,400 holes each in
// Catch2, axios, bat, click, curl, fzf, libuv and tokio, and no figure is quoted of those
// (docs/results/context.md). No hole of those knows where someone was lately: kRecent and
// kRecentFile are set by hand, so that what was just written gets into a prompt of 2,000 tokens.
#include "indexer/context/signs.h"

#include <cmath>

#include "indexer/context/candidates.h"

namespace kinglet::indexer {
namespace {

// Of names that are not shown and of those that are: two models.
struct Weights {
  float hidden, shown;
};
constexpr std::array<Weights, kSigns> kWeights = {{
    {-10.31F, -6.25F},  // kBias
    {0.00F, 1.13F},     // kNear
    {-0.02F, 0.00F},    // kInFile
    {5.47F, 1.45F},     // kCoSum
    {5.71F, 1.84F},     // kCoBest
    {0.69F, 0.67F},     // kAffinity
    {0.85F, -0.10F},    // kTwin
    {0.06F, 0.05F},     // kImported
    {-0.45F, -0.10F},   // kSameFolder
    {0.53F, 0.04F},     // kOfNearType
    {0.46F, 0.01F},     // kOfKnownType
    {1.52F, -5.26F},    // kWords
    {-2.04F, -1.20F},   // kFunction
    {-2.22F, -1.06F},   // kType
    {-2.38F, -1.44F},   // kField
    {-1.75F, -1.56F},   // kConstant
    {-1.92F, -0.99F},   // kMacro
    {-0.78F, -0.31F},   // kDefiners
    {-1.84F, 0.20F},    // kTest
    {-0.29F, -1.37F},   // kLexical
    {-3.04F, -0.01F},   // kOwn
    {0.43F, 0.20F},     // kLength
    {-0.99F, -0.98F},   // kCoAndAffine
    {0.00F, -0.04F},    // kNearAndFunction
    {0.00F, -6.25F},    // kShown
    {0.00F, -0.32F},    // kDistance
    {0.08F, 0.00F},     // kFileDistance
    {2.00F, 7.97F},     // kNextTo
    {0.30F, 6.15F},     // kNextToWords
    {-0.39F, 0.00F},    // kInFileAndCo
    {-0.08F, -0.09F},   // kPopular
    {0.47F, 0.31F},     // kPopularRest
    {10.00F, 10.00F},   // kRecent
    {1.00F, 1.00F},     // kRecentFile
    {-0.58F, -0.11F},   // kTogether
}};

using SignWeights = std::array<float, kSigns>;
constexpr SignWeights weights_of(float Weights::*model) {
  SignWeights weights{};
  for (std::size_t i = 0; i < kSigns; ++i)
    weights[i] = kWeights[i].*model;
  return weights;
}
constexpr SignWeights kHiddenWeights = weights_of(&Weights::hidden);
constexpr SignWeights kShownWeights = weights_of(&Weights::shown);

}  // namespace

float sum_of(const Signs& signs) {
  const SignWeights& weights = signs[kShown] > 0 ? kShownWeights : kHiddenWeights;
  // Several sums: one would wait for each addition, thousands of times.
  constexpr std::size_t kSums = 4;
  std::array<float, kSums> sums{};
  for (std::size_t i = 0; i < kSigns; ++i)
    sums[i % kSums] += weights[i] * signs[i];
  return in_steps((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

float chance_of(float sum) {
  return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(sum))));
}

}  // namespace kinglet::indexer
