// What stands at a point, in words: type, signature as written, comment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "indexer/clang/semantic_record.h"
#include "indexer/clang/translation_unit.h"

namespace kinglet::indexer::clang {

struct HoverPlace {
  std::string path;          // relative to the root, or absolute when it is outside
  std::uint32_t line = 0;    // from 0
  std::uint32_t column = 0;  // in bytes, from 0
  std::uint32_t offset = 0;
};

struct HoverText {
  std::string name;
  SymbolKey key{};
  SymbolKind kind = SymbolKind::kFunction;
  std::string type;       // as the compiler spells it
  std::string signature;  // the declaration's head as written, on one line
  std::string doc;        // the comment before the declaration, as written
  HoverPlace declared;    // the definition, where the unit has it
};

/// Of the name at `offset` (bytes) in a file of the unit, relative to the root. Nothing when no
/// name of a symbol stands there.
std::optional<HoverText> hover(const TranslationUnit& unit,
                               const std::string& path,
                               std::uint32_t offset);

}  // namespace kinglet::indexer::clang
