// Cursors → symbols: which declaration a reader means by what libclang tells apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "indexer/clang/semantic_record.h"
#include "indexer/clang/translation_unit.h"

namespace kinglet::indexer::clang {

/// A place in a file: its path as TranslationUnit::path_of() gives it.
struct Place {
  CXFile file = nullptr;
  std::uint32_t line = 0;    // from 0
  std::uint32_t column = 0;  // from 0
  std::uint32_t offset = 0;
};

/// Where it stands in a file; for what a macro wrote, where the macro's argument or name stands.
Place place_of(const Library& library, CXSourceLocation location);
Place place_of(const Library& library, CXCursor cursor);

bool is_declaration(int kind);
bool is_invalid(const CXCursor& cursor);

/// The declaration as written: instances of a template are the template, members of instances
/// the template's members.
CXCursor pattern_of(const TranslationUnit& unit, CXCursor declaration);

/// The name as it stands in the source: no template arguments. Empty: it has none.
std::string name_of(const Library& library, CXCursor declaration);

/// The symbols of one unit, each once.
class Symbols {
 public:
  struct Entry {
    SemanticSymbol symbol;
    Place place;  // of the declaration that was seen first
  };

  explicit Symbols(const TranslationUnit& unit) : unit_(unit), library_(unit.library()) {}

  /// Its number; none for what has no name or no USR.
  std::optional<std::uint32_t> find(CXCursor declaration);
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::optional<std::uint32_t> add(CXCursor declaration);
  SymbolKey key_of_pattern(CXCursor declaration) const;
  void describe(CXCursor pattern, SemanticSymbol& symbol) const;

  const TranslationUnit& unit_;
  const Library& library_;
  std::vector<Entry> entries_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_key_;
  std::unordered_map<const void*, std::optional<std::uint32_t>> by_cursor_;
};

}  // namespace kinglet::indexer::clang
