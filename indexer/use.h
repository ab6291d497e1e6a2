// A name where it is used, and what the text right around it tells: how it is reached, whether it
// is called and with how many arguments. Lexical: works on text that no grammar has seen, looks at
// a few kilobytes at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/text.h"

namespace kinglet::indexer {

/// Languages whose definitions can refer to each other, and whose texts read alike.
enum class Family : std::uint8_t {
  kC,  // C, C++ and their kin
  kPython,
  kJavaScript,  // and TypeScript
  kGo,
  kRust,
  kJvm,  // Java, Kotlin
  kCSharp,
  kSwift,
  kRuby,
  kPhp,
  kLua,
  kShell,
  kOther,  // only the same language fits
};
Family family_of(std::string_view language);

enum class Access : std::uint8_t {
  kPlain,   // name
  kScope,   // scope::name
  kMember,  // object.name, object->name
};

struct Use {
  std::string name;
  ByteRange range;
  Access access = Access::kPlain;
  std::string qualifier;  // the word before "::", "." or "->"; empty where it is no word
  bool is_called = false;
  std::optional<int> n_arguments;  // of a call, when it can be told
};

/// The identifier that holds `offset` or ends there. `text` may be any bytes.
std::optional<Use> use_at(std::string_view text, std::uint32_t offset);

/// How many parameters a definition takes, read from its signature.
struct ParameterCount {
  int least = 0;
  int most = 0;  // INT_MAX: any number
};
/// Nothing when the signature has no list of parameters behind the name.
std::optional<ParameterCount> count_parameters(std::string_view signature,
                                               std::string_view name,
                                               Family family);

}  // namespace kinglet::indexer
