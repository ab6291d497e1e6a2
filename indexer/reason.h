// Why a definition is taken for the one that a use means.
#pragma once

#include <cstdint>
#include <string_view>

namespace kinglet::indexer {

/// Who says what a name means.
enum class Source : std::uint8_t { kSyntax, kCompiler };

/// A sign that a definition is the one meant.
enum class Reason : std::uint8_t {
  kItself,         // the place asked about is the definition's own name
  kCounterpart,    // the declaration of the definition asked about, or the reverse
  kQualifier,      // `Foo::name`, and Foo contains it
  kReceiver,       // `object.name`, and the object was declared with its type
  kScope,          // a class, function or namespace around the use contains it
  kBase,           // a base of the class around the use contains it
  kSameFile,       // in the file of the use
  kImported,       // in a file that the use's file imports
  kIncluded,       // the same by imports of imports
  kPackage,        // in the folder of the use, where that is the package
  kSameFolder,     // in the folder of the use
  kOnly,           // nothing else has the name
  kCallShape,      // takes as many arguments as are given
  kOtherLanguage,  // in a language that the use's does not usually reach
  kCompiler,       // a compiler said so
};
/// "same scope", "imported", …
std::string_view name_of(Reason reason);

}  // namespace kinglet::indexer
