// The index of one repository, in memory. Records go in by path; readers take a snapshot and keep
// it as long as they like, while one writer goes on.
//
// The same set of (path, record) pairs gives the same answers and the same dump(), whatever the
// history of puts and removes that led there: the order of results never depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"
#include "indexer/record.h"

namespace kinglet::indexer {

/// A definition with the file it is in.
struct Symbol {
  std::string path;
  std::string language;
  Definition definition;
};

/// The same without copies: views of a snapshot, good while that lives.
struct SymbolView {
  std::string_view path;
  std::string_view language;
  std::string_view name;
  std::string_view container;
  std::string_view signature;
  SymbolKind kind = SymbolKind::kFunction;
  Evidence evidence = Evidence::kSyntax;
  bool has_body = false;
  bool is_test = false;
  ByteRange name_range;
  ByteRange range;

  /// A copy of its own; without the doc.
  Symbol symbol() const;
};

struct SymbolQuery {
  std::string text;  // empty: every symbol
  enum class Match : std::uint8_t {
    kExact,
    kPrefix,  // case-sensitive
    kFuzzy,   // the letters in order, any case; word starts and prefixes rank first
  } match = Match::kFuzzy;
  std::optional<SymbolKind> kind;
  std::size_t limit = 100;
};

/// Where a name is used.
struct ReferenceSite {
  std::string path;
  std::vector<std::uint32_t> offsets;  // ascending
  friend bool operator==(const ReferenceSite&, const ReferenceSite&) = default;
};

struct SearchTerm {
  std::string name;
  float weight = 1;
};

struct SearchQuery {
  std::vector<SearchTerm> terms;  // a name given twice counts twice
  std::size_t limit = 20;
};

/// A chunk found by search(). Its text is not in the index: read the file, and take the range only
/// if hash_chunk() of it is `hash`.
struct ChunkHit {
  std::string path;
  ByteRange range;
  std::uint64_t hash = 0;
  float score = 0;              // BM25, k1 = 1.2, b = 0.75
  std::uint32_t n_matched = 0;  // distinct query terms in it
};

struct FileInfo {
  std::string path;
  std::string language;
  ContentHash hash;
  std::uint32_t n_bytes = 0;
  std::uint32_t n_lines = 0;
  Coverage coverage = Coverage::kFull;
};

struct IndexStats {
  std::size_t n_files = 0;
  std::size_t n_definitions = 0;
  std::size_t n_references = 0;
  std::size_t n_chunks = 0;
  std::size_t n_bytes = 0;   // of the files
  std::size_t memory = 0;    // bytes on the heap, by our own count
  std::size_t in_files = 0;  // bytes in files, which need not be in memory
};

class Segment;

/// A file as somebody's editor shows it, in place of what is indexed.
struct Overlaid {
  std::string path;
  std::shared_ptr<const Segment> segment;  // Segment::of_file() of that path
};

/// One state of the index; immutable, cheap to copy, safe on several threads.
class Snapshot {
 public:
  Snapshot() = default;

  std::vector<Symbol> find_symbols(const SymbolQuery& query) const;
  /// All definitions of exactly that name; by path, then position.
  std::vector<Symbol> definitions(std::string_view name) const;
  /// All definitions in one file, in its order.
  std::vector<Symbol> definitions_in(std::string_view path) const;
  /// As definitions() and definitions_in(), in no certain order; of a name that is defined more
  /// often than `most` some.
  void for_each_definition(std::string_view name,
                           const std::function<void(const SymbolView&)>& visit,
                           std::size_t most = SIZE_MAX) const;
  void for_each_definition_in(std::string_view path,
                              const std::function<void(const SymbolView&)>& visit) const;
  /// All uses of exactly that name, by path.
  std::vector<ReferenceSite> references(std::string_view name) const;
  /// How many files define the name: cheap, for ranking.
  std::size_t n_defining_files(std::string_view name) const;
  /// How many chunks have the name.
  std::size_t n_chunks_with(std::string_view name) const;
  std::vector<Import> imports_of(std::string_view path) const;
  /// Chunks that share terms with the query, best first; ties by path, then position.
  std::vector<ChunkHit> search(const SearchQuery& query) const;
  std::optional<FileInfo> file(std::string_view path) const;
  std::vector<FileInfo> files() const;  // by path
  std::size_t n_files() const;
  IndexStats stats() const;
  /// Gives what lies in files back to the system, until it is looked at.
  void release_pages() const;
  /// This state with these files in place of those with the same paths (each named once).
  Snapshot with(std::span<const Overlaid> files) const;
  /// Everything, as sorted text: equal dumps are equal indexes.
  std::string dump() const;
  /// The part of dump() that tells of up to `n` files from the `first` by path on; empty beyond the
  /// last one.
  std::string dump(std::size_t first, std::size_t n) const;

 private:
  friend class Index;
  struct Part {
    std::shared_ptr<const Segment> segment;
    std::shared_ptr<const std::vector<bool>> dead;  // by file of the segment
    std::size_t n_live = 0;                         // files
  };
  // Marks files as dead; how many there were.
  std::size_t drop(std::span<const std::string> paths);
  // Merges segments of like size, and rewrites those that are mostly dead.
  void compact(std::size_t max_segment_bytes);

  std::vector<Part> parts_;  // the larger first
};

/// Writers take turns on a mutex that readers never wait for longer than a copy of the snapshot.
class Index {
 public:
  Index() = default;
  /// Segments are not merged into ones of more than about so many bytes.
  explicit Index(std::size_t max_segment_bytes) : max_segment_bytes_(max_segment_bytes) {}

  /// Adds files or replaces those with the same path; of a path given twice the last one counts.
  void put(std::vector<std::pair<std::string, FileRecord>> files);
  void put(std::string path, FileRecord record);
  /// False when the path was not there.
  bool remove(std::string_view path);
  void clear();

  /// Moves the largest segment that is on the heap to a file of this folder; how many bytes that
  /// frees. 0: none has `min_bytes`; small ones are soon merged. Answers stay the same. Errors:
  /// kIo.
  Result<std::size_t> move_to_file(const std::filesystem::path& folder,
                                   std::size_t min_bytes = 64 << 10);

  Snapshot snapshot() const;

 private:
  void publish(Snapshot next);

  std::size_t max_segment_bytes_ = SIZE_MAX;
  std::mutex writer_;
  mutable std::mutex current_mutex_;
  Snapshot current_;
};

}  // namespace kinglet::indexer
