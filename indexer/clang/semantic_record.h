// What libclang knows of one translation unit: for each of its files below the root, who is
// declared and used where. Made in a clang worker; crosses to the broker as bytes, and
// deserialize() trusts nothing.
//
// A symbol is its USR, hashed: the same in every translation unit. What libclang tells apart and a
// reader does not is one symbol here: instances of a template are the template as written,
// implicit members are the class they were made for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "indexer/record.h"

namespace kinglet::indexer::clang {

/// XXH3, 64 bits, of a USR.
enum class SymbolKey : std::uint64_t {};

/// Numbers are stored: they may not change.
enum class Role : std::uint8_t {
  kDeclaration,
  kDefinition,
  kReference,
  kCall,       // of a function or method, by its name
  kExpansion,  // of a macro
};
inline constexpr int kRoles = 5;

/// A declaration outside the root: a system header.
struct OutsidePlace {
  std::string path;          // absolute
  std::uint32_t line = 0;    // from 0
  std::uint32_t column = 0;  // in bytes, from 0
  friend bool operator==(const OutsidePlace&, const OutsidePlace&) = default;
};

struct SemanticSymbol {
  SymbolKey key{};
  std::string name;
  SymbolKind kind = SymbolKind::kFunction;
  /// Parameters, variables of functions, template parameters: nobody outside the file sees them.
  bool is_local = false;
  SymbolKey owner{};                 // the class, namespace or function it belongs to; 0: none
  std::vector<SymbolKey> overrides;  // methods that it overrides directly, ascending
  std::optional<OutsidePlace> outside;
  friend bool operator==(const SemanticSymbol&, const SemanticSymbol&) = default;
};

inline constexpr std::uint32_t kNoContainer = 0xFFFF'FFFF;

/// One place where a symbol is meant.
struct Occurrence {
  std::uint32_t offset = 0;
  std::uint16_t length = 0;
  Role role = Role::kReference;
  /// The text there is not the symbol's name: a macro wrote it, or the compiler did (a constructor
  /// called by `Foo x(1)`, at x).
  bool is_implicit = false;
  std::uint32_t symbol_idx = 0;                // into FileSemantics::symbols
  std::uint32_t container_idx = kNoContainer;  // the function, class, … around it
  friend bool operator==(const Occurrence&, const Occurrence&) = default;
};

struct FileSemantics {
  std::string path;  // relative to the root
  ContentHash hash;  // of the text that libclang saw: what offsets count in
  std::uint32_t n_bytes = 0;
  std::vector<SemanticSymbol> symbols;  // by key, unique
  std::vector<Occurrence> occurrences;  // by offset, then symbol and role; none twice
  friend bool operator==(const FileSemantics&, const FileSemantics&) = default;
};

/// An #include as it was resolved. Both relative to the root.
struct ResolvedInclude {
  std::string from;
  std::string to;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the comparison's 0 for a pointer
  friend auto operator<=>(const ResolvedInclude&, const ResolvedInclude&) = default;
};

struct UnitRecord {
  std::string main_path;                  // relative to the root
  std::vector<FileSemantics> files;       // by path; those below the root
  std::vector<ResolvedInclude> includes;  // sorted; between files below the root
  std::uint32_t n_errors = 0;             // diagnostics
  friend bool operator==(const UnitRecord&, const UnitRecord&) = default;
};

/// Bytes of a record: a versioned format for one program talking to itself.
std::string serialize(const UnitRecord& record);

/// Checks every count, index, order and range that the structs promise. kCorrupt.
Result<UnitRecord> deserialize(std::string_view bytes);

/// The key of a USR.
SymbolKey key_of(std::string_view usr);

}  // namespace kinglet::indexer::clang
