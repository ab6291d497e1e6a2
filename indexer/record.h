// What the index knows of one file. A record depends on the file's bytes and its language alone, is
// made in a parse worker and crosses to the broker as bytes: deserialize() trusts nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"

namespace kinglet::indexer {

/// Stored in records: the numbers may not change, new kinds go to the end.
enum class SymbolKind : std::uint8_t {
  kFunction,
  kMethod,
  kClass,
  kStruct,
  kUnion,
  kEnum,
  kEnumerator,
  kNamespace,
  kType,  // alias, typedef
  kMacro,
  kVariable,
  kField,
  kConstant,
  kInterface,
  kModule,
  kKey,       // of data (JSON, YAML, TOML), an element's id, a build target
  kHeading,   // of a text
  kSelector,  // of a style sheet
  kTable,     // of a database; a view too
};
inline constexpr int kSymbolKinds = 19;

/// "function", "enumerator", …; the word after "definition." in a query file.
std::string_view name_of(SymbolKind kind);

/// XXH3, 128 bits, of a file's bytes.
struct ContentHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the comparison's 0 for a pointer
  friend auto operator<=>(const ContentHash&, const ContentHash&) = default;
};
ContentHash hash_content(std::string_view bytes);
/// 32 hexadecimal digits.
std::string to_hex(const ContentHash& hash);

/// XXH3, 64 bits, of a chunk's bytes.
std::uint64_t hash_chunk(std::string_view bytes);

/// How a definition was found; also how far to trust it.
enum class Evidence : std::uint8_t {
  kSyntax,   // a node of the syntax tree
  kLexical,  // its words, inside text that the grammar could not parse
};

/// Strings are valid UTF-8 without control or invisible characters; `signature` is one line, the
/// head of the definition with white space collapsed; `doc` may have several lines.
struct Definition {
  std::string name;
  std::string container;  // enclosing names, "leveldb::DB"; empty at file level
  std::string signature;
  std::string doc;  // the comment or docstring that belongs to it, without markers
  SymbolKind kind = SymbolKind::kFunction;
  Evidence evidence = Evidence::kSyntax;
  bool has_body = false;  // false: a declaration only
  bool is_test = false;
  ByteRange name_range;
  ByteRange range;  // the whole definition, doc comment not included
  friend bool operator==(const Definition&, const Definition&) = default;
};

/// One use of a name in code (not in comments or strings). Definitions' own names are not in it.
struct Reference {
  std::uint32_t name_idx = 0;  // into FileRecord::names
  std::uint32_t offset = 0;    // of the name's first byte
  friend bool operator==(const Reference&, const Reference&) = default;
};

/// An include, import or use: the target as written, "vulkan/device.h", "os.path".
struct Import {
  std::string target;
  ByteRange range;
  friend bool operator==(const Import&, const Import&) = default;
};

/// How often a chunk's text holds a name, comments and strings included.
struct Term {
  std::uint32_t name_idx = 0;  // into FileRecord::names
  std::uint32_t count = 0;     // > 0
  friend bool operator==(const Term&, const Term&) = default;
};

/// A piece of the file for search: whole lines, cut where a syntactic unit ends when one is near.
struct Chunk {
  ByteRange range;
  std::uint64_t hash = 0;   // hash_chunk() of its bytes: tells whether a text still holds it
  std::vector<Term> terms;  // ascending name_idx
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// How much of the file the record speaks for.
enum class Coverage : std::uint8_t {
  kFull,     // parsed to its end, no error nodes
  kErrors,   // parsed to its end, with error nodes
  kLexical,  // not parsed (too large, or out of time): names and chunks only
  kPlain,    // no grammar for it: names and chunks only
};

struct FileRecord {
  std::string language;  // a row's name (language.h)
  ContentHash hash;
  std::uint32_t n_bytes = 0;
  std::uint32_t n_lines = 0;
  Coverage coverage = Coverage::kFull;
  std::vector<std::string> names;       // sorted bytewise, unique
  std::vector<Definition> definitions;  // by range.begin, then the longer first
  std::vector<Reference> references;    // by offset
  std::vector<Import> imports;          // by range.begin
  std::vector<Chunk> chunks;            // by range.begin, disjoint
  friend bool operator==(const FileRecord&, const FileRecord&) = default;
};

/// Bytes of a record: a versioned format for one program talking to itself, not for keeping.
std::string serialize(const FileRecord& record);

/// Checks every count, index, order, range, and string that FileRecord promises. kCorrupt names the
/// first field that does not hold and its offset.
Result<FileRecord> deserialize(std::span<const std::byte> bytes);

}  // namespace kinglet::indexer
