// One immutable part of the index: some files, flat and sorted. Strings are stored once and named
// by 32-bit ids; uses of names and terms of chunks are delta-coded bytes behind each name.
//
// A segment can lie in a file instead of on the heap (FileMemory): nothing else is different then.
//
// An index is a handful of segments. Adding a file makes a segment of one file, and segments of
// like size are merged as they pile up, so that a put costs the file's own size times the logarithm
// of the index's, while readers keep what they have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"
#include "indexer/file_memory.h"
#include "indexer/name_slots.h"
#include "indexer/record.h"

namespace kinglet::indexer {

struct SymbolView;

/// Strings by id, in one piece of memory.
class StringTable {
 public:
  using allocator_type = std::pmr::polymorphic_allocator<>;
  explicit StringTable(allocator_type memory = {}) : bytes_(memory), ends_(memory) {}
  StringTable(const StringTable& other, allocator_type memory)
      : bytes_(other.bytes_, memory), ends_(other.ends_, memory) {}

  std::uint32_t add(std::string_view text);
  std::string_view operator[](std::uint32_t id) const {
    const std::uint32_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(bytes_).substr(begin, ends_[id] - begin);
  }
  std::size_t size() const { return ends_.size(); }
  std::size_t memory() const { return bytes_.capacity() + ends_.capacity() * sizeof(ends_[0]); }
  void shrink();

 private:
  std::pmr::string bytes_;
  std::pmr::vector<std::uint32_t> ends_;
};

class Segment {
 public:
  struct File {
    ContentHash hash;
    std::uint32_t path = 0;      // in texts
    std::uint32_t language = 0;  // in texts
    std::uint32_t n_bytes = 0;
    std::uint32_t n_lines = 0;
    std::uint32_t n_references = 0;
    std::uint32_t first_definition = 0;
    std::uint32_t first_import = 0;
    std::uint32_t first_chunk = 0;
    std::uint32_t n_definitions = 0;
    std::uint32_t n_imports = 0;
    std::uint32_t n_chunks = 0;
    std::uint32_t n_terms = 0;  // sum of its chunks' lengths
    Coverage coverage = Coverage::kFull;
  };
  struct DefinitionEntry {
    std::uint32_t name = 0;                               // in names
    std::uint32_t container = 0, signature = 0, doc = 0;  // in texts
    std::uint32_t file = 0;
    ByteRange name_range, range;
    SymbolKind kind = SymbolKind::kFunction;
    Evidence evidence = Evidence::kSyntax;
    bool has_body = false, is_test = false;
  };
  struct ImportEntry {
    std::uint32_t target = 0;  // in texts
    ByteRange range;
  };
  struct ChunkEntry {
    std::uint64_t hash = 0;
    ByteRange range;
    std::uint32_t file = 0;
    std::uint32_t n_terms = 0;  // its length: the sum of its terms' counts
  };
  /// A segment and which of its files are dead (null: none).
  struct Input {
    const Segment* segment;
    const std::vector<bool>* dead;
  };

  static std::shared_ptr<const Segment> of_file(std::string_view path, const FileRecord& record);
  static std::shared_ptr<const Segment> merge(std::span<const Input> inputs);
  /// The same in a file of this folder instead of on the heap. Errors: kIo.
  static Result<std::shared_ptr<const Segment>> moved_to_file(const Segment& segment,
                                                              const std::filesystem::path& folder);
  Segment() = default;

  std::span<const File> files() const { return files_; }
  std::span<const DefinitionEntry> definitions() const { return definitions_; }
  std::span<const ImportEntry> imports() const { return imports_; }
  std::span<const ChunkEntry> chunks() const { return chunks_; }
  std::string_view text(std::uint32_t id) const { return texts_[id]; }
  std::string_view name(std::uint32_t id) const { return names_[id]; }
  std::size_t n_names() const { return names_.size(); }
  std::string_view path_of(std::uint32_t file) const { return texts_[files_[file].path]; }

  std::optional<std::uint32_t> find_file(std::string_view path) const;
  /// `hash` is NameSlots::hash(name), the same for all segments.
  std::optional<std::uint32_t> find_name(std::string_view name, std::uint64_t hash) const {
    return name_slots_.find(names_, name, hash);
  }
  /// The first name that is not less.
  std::uint32_t lower_bound(std::string_view name) const;

  /// Definitions of that name, by index into definitions().
  std::span<const std::uint32_t> definitions_of(std::uint32_t name) const {
    return std::span(by_name_).subspan(first_of_name_[name],
                                       first_of_name_[name + 1] - first_of_name_[name]);
  }
  /// Calls `visit(file, offsets)` for each file that uses the name, files ascending.
  template <class Visit>
  void for_each_reference(std::uint32_t name, Visit visit) const;
  /// Calls `visit(chunk, count)` for each chunk that holds the name, chunks ascending.
  template <class Visit>
  void for_each_term(std::uint32_t name, Visit visit) const;
  /// How many such chunks there are.
  std::size_t n_chunks_with(std::uint32_t name) const;

  Definition definition(const DefinitionEntry& entry) const;
  SymbolView view(const DefinitionEntry& entry) const;
  /// The wanted files' records (one bit for each), as they were put in: the inverse of of_file()
  /// and merge(). Takes a pass over the segment.
  std::vector<std::pair<std::string, FileRecord>> records(const std::vector<bool>& wanted) const;
  /// Bytes that it takes, and whether they lie in a file.
  std::size_t memory() const;
  bool is_in_file() const { return memory_ != nullptr; }
  /// Gives the pages of one that lies in a file back to the system, until they are looked at.
  void release_pages() const {
    if (memory_) memory_->release_pages();
  }

 private:
  class Builder;
  Segment(const Segment& other, std::shared_ptr<FileMemory> memory);

  // Outlives what lies in it; null: the heap.
  std::shared_ptr<FileMemory> memory_;
  StringTable names_;  // sorted
  NameSlots name_slots_;
  StringTable texts_;
  std::pmr::vector<File> files_;
  std::pmr::vector<std::uint32_t> by_path_;  // files, sorted by path
  std::pmr::vector<DefinitionEntry> definitions_;
  std::pmr::vector<std::uint32_t> by_name_;        // definitions, by name, then as they come
  std::pmr::vector<std::uint32_t> first_of_name_;  // into by_name_; one more than there are names
  std::pmr::vector<ImportEntry> imports_;
  std::pmr::vector<ChunkEntry> chunks_;
  StringTable references_;  // by name: {file delta, count, {offset delta}…}…
  StringTable terms_;       // by name: {chunk delta, count}…
};

namespace detail {
// LEB128 of our own writing: nothing to check.
inline std::uint32_t read_number(std::string_view bytes, std::size_t& at) {
  std::uint32_t number = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    number |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return number;
  }
}
}  // namespace detail

template <class Visit>
void Segment::for_each_reference(std::uint32_t name, Visit visit) const {
  const std::string_view bytes = references_[name];
  std::vector<std::uint32_t> offsets;
  std::uint32_t file = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    file += detail::read_number(bytes, at);
    const std::uint32_t count = detail::read_number(bytes, at);
    offsets.clear();
    std::uint32_t offset = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      offset += detail::read_number(bytes, at);
      offsets.push_back(offset);
    }
    visit(file, std::span<const std::uint32_t>(offsets));
  }
}

template <class Visit>
void Segment::for_each_term(std::uint32_t name, Visit visit) const {
  const std::string_view bytes = terms_[name];
  std::uint32_t chunk = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    chunk += detail::read_number(bytes, at);
    visit(chunk, detail::read_number(bytes, at));
  }
}

}  // namespace kinglet::indexer
