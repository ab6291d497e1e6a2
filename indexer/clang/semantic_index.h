// What the records of a repository's translation units say together. A file has one entry for each
// way it was seen (its text, and what the units that include it made of it); units that saw the
// same share the entry.
//
// An answer is of exact texts: who asks says which text of the file he has, and each place in the
// answer names the text that it counts in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/clang/compile_commands.h"
#include "indexer/clang/semantic_record.h"

namespace kinglet::indexer::clang {

struct SemanticPlace {
  std::string path;  // relative to the root
  ContentHash hash;  // of the text that `range` counts in
  ByteRange range;
  Role role = Role::kReference;
  bool is_implicit = false;
  SymbolKey container{};  // around it; 0: none
  friend bool operator==(const SemanticPlace&, const SemanticPlace&) = default;
};

struct SemanticAnswer {
  /// More than one where overloads cannot be told apart (using, templates).
  std::vector<SemanticSymbol> symbols;
  std::vector<SemanticPlace> definitions;   // by path, then place
  std::vector<SemanticPlace> declarations;  // those that are no definitions
  ByteRange name;                           // what was asked about
  /// 1: the file's own command, or that of a unit that includes it; less for guessed ones.
  double confidence = 1;
};

struct SemanticStats {
  std::size_t n_units = 0;
  std::size_t n_files = 0;  // entries
  std::size_t n_symbols = 0;
  std::size_t n_occurrences = 0;
  std::size_t memory = 0;  // bytes, by our own count
};

/// For any thread; one at a time is let in.
class SemanticIndex {
 public:
  SemanticIndex() = default;
  SemanticIndex(const SemanticIndex&) = delete;
  SemanticIndex& operator=(const SemanticIndex&) = delete;

  /// In place of what the unit said before.
  void put(const UnitRecord& record, CommandSource source);
  void remove(const std::string& main_path);
  void clear();

  /// Nothing: no unit has seen that text of the file, or no symbol's name stands there. An offset
  /// just after a name counts as on it.
  std::optional<SemanticAnswer> find(std::string_view path,
                                     const ContentHash& hash,
                                     std::uint32_t offset) const;
  /// Whether a symbol's name begins at `offset` of that text. Cheap.
  bool has_name_at(std::string_view path, const ContentHash& hash, std::uint32_t offset) const;
  std::optional<SemanticSymbol> symbol(SymbolKey key) const;
  /// Every place of a symbol, definitions and declarations included; by path, then place.
  std::vector<SemanticPlace> places(SymbolKey key) const;
  /// The methods that override it directly.
  std::vector<SymbolKey> overriding(SymbolKey key) const;
  /// A call of which may mean it, or be a call of it: itself first, what it overrides, what
  /// overrides it, and theirs in turn. Not its siblings.
  std::vector<SymbolKey> family(SymbolKey key) const;

  bool knows(std::string_view path, const ContentHash& hash) const;
  /// Main files of the units in which the file was seen, whatever its text; sorted.
  std::vector<std::string> units_with(std::string_view path) const;
  bool has_unit(const std::string& main_path) const;
  SemanticStats stats() const;

 private:
  struct Place {
    std::uint32_t offset;
    std::uint32_t symbol;
    std::uint32_t container;  // kNoContainer: none
    std::uint16_t length;
    Role role;
    bool is_implicit;
  };
  struct File {
    std::string path;
    ContentHash hash;
    ContentHash fingerprint;
    std::vector<std::uint32_t> symbols;  // sorted
    std::vector<Place> places;           // by offset
    std::set<std::string> units;
  };
  struct Unit {
    CommandSource source = CommandSource::kDatabase;
    std::vector<File*> files;
  };
  struct Symbol {
    SemanticSymbol symbol;
    std::size_t n_files = 0;
  };

  void remove_unit(const std::string& main_path);
  std::uint32_t intern(const SemanticSymbol& symbol);
  std::unique_ptr<File> compact(const FileSemantics& file);
  void drop(File* file);
  SemanticPlace describe(const File& file, const Place& place) const;
  void add_places(std::uint32_t symbol, std::vector<SemanticPlace>& places) const;
  double confidence_of(const File& file) const;

  mutable std::mutex mutex_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint32_t> free_symbols_;
  std::unordered_map<std::uint64_t, std::uint32_t> symbol_of_;  // by key
  std::map<std::string, std::vector<std::unique_ptr<File>>, std::less<>> files_;
  std::map<std::string, Unit> units_;  // by main file
};

}  // namespace kinglet::indexer::clang
