// What speaks for a definition that the code to be written may name, as numbers, and what they say
// together.
#pragma once

#include <array>
#include <cstddef>

namespace kinglet::indexer {

enum Sign : std::size_t {
  kBias,
  kNear,      // weight of its uses near the line
  kInFile,    // used in the file, out of sight: log of how often
  kCoSum,     // similar chunks that use it: their scores' share
  kCoBest,    // the best of them
  kAffinity,  // how much the file uses of what its file defines
  kTwin,      // its file is the other half of this one: header, source
  kImported,  // its file is imported
  kSameFolder,
  kOfNearType,   // it is a member of a type that is named near
  kOfKnownType,  // … in the file
  kWords,        // words of it that names near the line have
  kFunction,
  kType,
  kField,
  kConstant,  // or an enumerator
  kMacro,
  kDefiners,  // log of how many files define the name
  kTest,
  kLexical,
  kOwn,
  kLength,  // log of the signature's bytes
  kCoAndAffine,
  kNearAndFunction,
  kShown,         // used within the lines that are shown
  kDistance,      // log of how far
  kFileDistance,  // out of sight: nearness of its next use in the file
  kNextTo,        // it stands next to definitions of names that are shown
  kNextToWords,
  kInFileAndCo,
  kPopular,      // log of how many chunks have the name
  kPopularRest,  // … if no similar one has it
  kRecent,       // someone was at it lately
  kRecentFile,   // … in its file
  kTogether,     // its file changes together with this one
  kSigns
};
using Signs = std::array<float, kSigns>;

/// What the signs sum up to, by logistic regression: of two models, one of names that are shown
/// (kShown) and one of those that are not.
float sum_of(const Signs& signs);
/// The chance that such a sum stands for, 0 to 1.
float chance_of(float sum);

}  // namespace kinglet::indexer
