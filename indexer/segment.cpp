#include "indexer/segment.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <unordered_map>

#include "indexer/bytes.h"
#include "indexer/index.h"

namespace kinglet::indexer {
namespace {

constexpr std::uint32_t kGone = UINT32_MAX;

std::uint32_t checked_size(std::size_t size) {
  assert(size < UINT32_MAX);
  return static_cast<std::uint32_t>(size);
}

// {file delta, count, {offset delta}…}
class ReferenceWriter {
 public:
  void add(std::uint32_t file, std::span<const std::uint32_t> offsets) {
    write_number(bytes_, file - last_file_);
    last_file_ = file;
    write_number(bytes_, offsets.size());
    std::uint32_t last = 0;
    for (const std::uint32_t offset : offsets) {
      write_number(bytes_, offset - last);
      last = offset;
    }
  }
  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(), last_file_ = 0; }

 private:
  std::string bytes_;
  std::uint32_t last_file_ = 0;
};

// {chunk delta, count}
class TermWriter {
 public:
  void add(std::uint32_t chunk, std::uint32_t count) {
    write_number(bytes_, chunk - last_chunk_);
    write_number(bytes_, count);
    last_chunk_ = chunk;
  }
  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(), last_chunk_ = 0; }

 private:
  std::string bytes_;
  std::uint32_t last_chunk_ = 0;
};

}  // namespace

std::uint32_t StringTable::add(std::string_view text) {
  bytes_ += text;
  ends_.push_back(checked_size(bytes_.size()));
  return static_cast<std::uint32_t>(ends_.size() - 1);
}

void StringTable::shrink() {
  bytes_.shrink_to_fit();
  ends_.shrink_to_fit();
}

// Files come first, then names in order; finish() sorts what is looked up.
class Segment::Builder {
 public:
  Builder() : segment_(std::make_shared<Segment>()) {}

  Segment& segment() { return *segment_; }

  /// Stored once, however often it comes.
  std::uint32_t text(std::string_view text) {
    if (const auto known = text_ids_.find(std::string(text)); known != text_ids_.end()) {
      return known->second;
    }
    const std::uint32_t id = segment_->texts_.add(text);
    // Signatures and docs hardly ever repeat; a map of all of them would cost more than it saves.
    if (text.size() <= 64) text_ids_.emplace(text, id);
    return id;
  }

  /// Ascending. Its definitions are told by index.
  std::uint32_t add_name(std::string_view name,
                         const ReferenceWriter& references,
                         const TermWriter& terms) {
    segment_->references_.add(references.bytes());
    segment_->terms_.add(terms.bytes());
    return segment_->names_.add(name);
  }

  std::shared_ptr<const Segment> finish() {
    Segment& s = *segment_;
    s.by_path_.resize(s.files_.size());
    std::iota(s.by_path_.begin(), s.by_path_.end(), 0U);
    std::sort(s.by_path_.begin(), s.by_path_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return s.path_of(a) < s.path_of(b);
    });
    // Counting sort of the definitions by name keeps their order within one.
    s.first_of_name_.assign(s.names_.size() + 1, 0);
    for (const DefinitionEntry& entry : s.definitions_)
      ++s.first_of_name_[entry.name + 1];
    std::partial_sum(s.first_of_name_.begin(), s.first_of_name_.end(), s.first_of_name_.begin());
    s.by_name_.resize(s.definitions_.size());
    std::vector<std::uint32_t> next(s.first_of_name_.begin(), s.first_of_name_.end() - 1);
    for (std::uint32_t i = 0; i < s.definitions_.size(); ++i) {
      s.by_name_[next[s.definitions_[i].name]++] = i;
    }
    s.names_.shrink();
    s.name_slots_.build(s.names_);
    s.texts_.shrink();
    s.references_.shrink();
    s.terms_.shrink();
    s.files_.shrink_to_fit();
    s.definitions_.shrink_to_fit();
    s.imports_.shrink_to_fit();
    s.chunks_.shrink_to_fit();
    return std::move(segment_);
  }

 private:
  std::shared_ptr<Segment> segment_;
  std::unordered_map<std::string, std::uint32_t> text_ids_;
};

std::shared_ptr<const Segment> Segment::of_file(std::string_view path, const FileRecord& record) {
  Builder builder;
  Segment& s = builder.segment();
  File file;
  file.path = builder.text(path);
  file.language = builder.text(record.language);
  file.hash = record.hash;
  file.n_bytes = record.n_bytes;
  file.n_lines = record.n_lines;
  file.coverage = record.coverage;
  file.n_references = checked_size(record.references.size());
  file.n_definitions = checked_size(record.definitions.size());
  file.n_imports = checked_size(record.imports.size());
  file.n_chunks = checked_size(record.chunks.size());

  // Names of definitions need not be used anywhere.
  std::vector<std::string_view> names(record.names.begin(), record.names.end());
  for (const Definition& definition : record.definitions)
    names.push_back(definition.name);
  const auto n_used = static_cast<std::ptrdiff_t>(record.names.size());
  std::sort(names.begin() + n_used, names.end());
  std::inplace_merge(names.begin(), names.begin() + n_used, names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  // Uses by name: counted first, then filled in, so that each name's lie together.
  std::vector<std::uint32_t> first_offset(record.names.size() + 1, 0);
  std::vector<std::uint32_t> first_term(record.names.size() + 1, 0);
  for (const Reference& reference : record.references)
    ++first_offset[reference.name_idx + 1];
  for (const Chunk& chunk : record.chunks) {
    for (const Term& term : chunk.terms)
      ++first_term[term.name_idx + 1];
  }
  std::partial_sum(first_offset.begin(), first_offset.end(), first_offset.begin());
  std::partial_sum(first_term.begin(), first_term.end(), first_term.begin());
  std::vector<std::uint32_t> offsets(first_offset.back());
  std::vector<std::pair<std::uint32_t, std::uint32_t>> terms(first_term.back());  // chunk, count
  std::vector<std::uint32_t> next(first_offset.begin(), first_offset.end() - 1);
  for (const Reference& reference : record.references)
    offsets[next[reference.name_idx]++] = reference.offset;
  next.assign(first_term.begin(), first_term.end() - 1);
  for (std::uint32_t i = 0; i < record.chunks.size(); ++i) {
    const Chunk& chunk = record.chunks[i];
    std::uint64_t n_terms = 0;
    for (const Term& term : chunk.terms) {
      terms[next[term.name_idx]++] = {i, term.count};
      n_terms += term.count;
    }
    const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(n_terms, 1U << 24));
    s.chunks_.push_back({chunk.hash, chunk.range, 0, length});
    file.n_terms += length;
  }
  std::size_t used = 0;  // the next of record.names
  ReferenceWriter reference_writer;
  TermWriter term_writer;
  for (const std::string_view name : names) {
    reference_writer.clear();
    term_writer.clear();
    if (used < record.names.size() && record.names[used] == name) {
      const std::span<const std::uint32_t> own = std::span(offsets).subspan(
          first_offset[used], first_offset[used + 1] - first_offset[used]);
      if (!own.empty()) reference_writer.add(0, own);
      for (std::uint32_t i = first_term[used]; i < first_term[used + 1]; ++i) {
        term_writer.add(terms[i].first, terms[i].second);
      }
      ++used;
    }
    builder.add_name(name, reference_writer, term_writer);
  }
  for (const Definition& definition : record.definitions) {
    DefinitionEntry entry;
    entry.name = static_cast<std::uint32_t>(
        std::lower_bound(names.begin(), names.end(), definition.name) - names.begin());
    entry.container = builder.text(definition.container);
    entry.signature = builder.text(definition.signature);
    entry.doc = builder.text(definition.doc);
    entry.name_range = definition.name_range;
    entry.range = definition.range;
    entry.kind = definition.kind;
    entry.evidence = definition.evidence;
    entry.has_body = definition.has_body;
    entry.is_test = definition.is_test;
    s.definitions_.push_back(entry);
  }
  for (const Import& import : record.imports) {
    s.imports_.push_back({builder.text(import.target), import.range});
  }
  s.files_.push_back(file);
  return builder.finish();
}

std::shared_ptr<const Segment> Segment::merge(std::span<const Input> inputs) {
  Builder builder;
  Segment& s = builder.segment();
  const auto is_dead = [&](std::size_t input, std::uint32_t file) {
    return inputs[input].dead != nullptr && (*inputs[input].dead)[file];
  };

  // Files, with all that lies under them but names.
  std::vector<std::vector<std::uint32_t>> file_ids(inputs.size());   // old → new, kGone when dead
  std::vector<std::vector<std::uint32_t>> chunk_ids(inputs.size());  // likewise
  std::vector<std::pair<std::size_t, std::uint32_t>> old_names;      // of each new definition
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    const Segment& from = *inputs[input].segment;
    file_ids[input].assign(from.files_.size(), kGone);
    chunk_ids[input].assign(from.chunks_.size(), kGone);
    for (std::uint32_t old = 0; old < from.files_.size(); ++old) {
      if (is_dead(input, old)) continue;
      const auto id = checked_size(s.files_.size());
      file_ids[input][old] = id;
      File file = from.files_[old];
      const File& was = from.files_[old];
      file.path = builder.text(from.texts_[file.path]);
      file.language = builder.text(from.texts_[file.language]);
      file.first_definition = checked_size(s.definitions_.size());
      file.first_import = checked_size(s.imports_.size());
      file.first_chunk = checked_size(s.chunks_.size());
      s.files_.push_back(file);
      for (std::uint32_t i = 0; i < was.n_definitions; ++i) {
        DefinitionEntry entry = from.definitions_[was.first_definition + i];
        old_names.emplace_back(input, entry.name);
        entry.container = builder.text(from.texts_[entry.container]);
        entry.signature = builder.text(from.texts_[entry.signature]);
        entry.doc = builder.text(from.texts_[entry.doc]);
        entry.file = id;
        s.definitions_.push_back(entry);
      }
      for (std::uint32_t i = 0; i < was.n_imports; ++i) {
        ImportEntry entry = from.imports_[was.first_import + i];
        entry.target = builder.text(from.texts_[entry.target]);
        s.imports_.push_back(entry);
      }
      for (std::uint32_t i = 0; i < was.n_chunks; ++i) {
        ChunkEntry entry = from.chunks_[was.first_chunk + i];
        entry.file = id;
        chunk_ids[input][was.first_chunk + i] = checked_size(s.chunks_.size());
        s.chunks_.push_back(entry);
      }
    }
  }

  // Names that a live definition has stay, and those that a live file uses.
  std::vector<std::vector<std::uint32_t>> name_ids(inputs.size());
  std::vector<std::vector<bool>> is_defined(inputs.size());
  struct OldName {
    std::string_view name;
    std::uint32_t input, id;
  };
  std::vector<OldName> all;
  std::vector<std::size_t> first_name(1, 0);  // of each input, and the end
  for (std::uint32_t input = 0; input < inputs.size(); ++input) {
    const Segment& from = *inputs[input].segment;
    name_ids[input].assign(from.n_names(), kGone);
    is_defined[input].assign(from.n_names(), false);
    for (std::uint32_t id = 0; id < from.n_names(); ++id)
      all.push_back({from.name(id), input, id});
    first_name.push_back(all.size());
  }
  for (const auto& [input, name] : old_names)
    is_defined[input][name] = true;
  // Each input's are in order.
  for (std::size_t width = 1; width < inputs.size(); width *= 2) {
    for (std::size_t i = width; i < inputs.size(); i += 2 * width) {
      const auto at = [&](std::size_t input) {
        return all.begin() +
               static_cast<std::ptrdiff_t>(first_name[std::min(input, inputs.size())]);
      };
      std::inplace_merge(at(i - width), at(i), at(i + width), [](const auto& a, const auto& b) {
        return a.name < b.name;
      });
    }
  }
  ReferenceWriter references;
  TermWriter terms;
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    references.clear();
    terms.clear();
    bool is_needed = false;
    for (; end < all.size() && all[end].name == all[begin].name; ++end) {
      const auto [name, input, id] = all[end];
      const Segment& from = *inputs[input].segment;
      is_needed = is_needed || is_defined[input][id];
      from.for_each_reference(id, [&](std::uint32_t file, std::span<const std::uint32_t> offsets) {
        const std::uint32_t new_file = file_ids[all[end].input][file];
        if (new_file != kGone) references.add(new_file, offsets);
      });
      from.for_each_term(id, [&](std::uint32_t chunk, std::uint32_t count) {
        const std::uint32_t new_chunk = chunk_ids[all[end].input][chunk];
        if (new_chunk != kGone) terms.add(new_chunk, count);
      });
    }
    if (is_needed || !references.bytes().empty() || !terms.bytes().empty()) {
      const std::uint32_t id = builder.add_name(all[begin].name, references, terms);
      for (std::size_t i = begin; i < end; ++i)
        name_ids[all[i].input][all[i].id] = id;
    }
    begin = end;
  }
  for (std::size_t i = 0; i < s.definitions_.size(); ++i) {
    s.definitions_[i].name = name_ids[old_names[i].first][old_names[i].second];
  }
  return builder.finish();
}

Segment::Segment(const Segment& other, std::shared_ptr<FileMemory> memory)
    : memory_(std::move(memory)),
      names_(other.names_, memory_.get()),
      name_slots_(other.name_slots_, memory_.get()),
      texts_(other.texts_, memory_.get()),
      files_(other.files_, memory_.get()),
      by_path_(other.by_path_, memory_.get()),
      definitions_(other.definitions_, memory_.get()),
      by_name_(other.by_name_, memory_.get()),
      first_of_name_(other.first_of_name_, memory_.get()),
      imports_(other.imports_, memory_.get()),
      chunks_(other.chunks_, memory_.get()),
      references_(other.references_, memory_.get()),
      terms_(other.terms_, memory_.get()) {}

Result<std::shared_ptr<const Segment>> Segment::moved_to_file(const Segment& segment,
                                                              const std::filesystem::path& folder) {
  // Each of 16 pieces begins at a multiple of 16 at most, a string ends with a zero.
  constexpr std::size_t kSlack = std::size_t{16} * 32;
  auto memory = TRY(FileMemory::create(folder, segment.memory() + kSlack));
  std::shared_ptr<const Segment> moved(new Segment(segment, memory));
  memory->release_pages();
  return moved;
}

std::optional<std::uint32_t> Segment::find_file(std::string_view path) const {
  const auto found = std::lower_bound(
      by_path_.begin(), by_path_.end(), path, [&](std::uint32_t file, std::string_view wanted) {
        return path_of(file) < wanted;
      });
  if (found == by_path_.end() || path_of(*found) != path) return std::nullopt;
  return *found;
}

std::uint32_t Segment::lower_bound(std::string_view name) const {
  std::uint32_t low = 0;
  std::uint32_t high = checked_size(names_.size());
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (names_[middle] < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::size_t Segment::n_chunks_with(std::uint32_t name) const {
  // Two numbers for each, and each number's last byte alone has no high bit.
  return static_cast<std::size_t>(std::ranges::count_if(
             terms_[name], [](char byte) { return static_cast<unsigned char>(byte) < 0x80; })) /
         2;
}

SymbolView Segment::view(const DefinitionEntry& entry) const {
  return {.path = path_of(entry.file),
          .language = texts_[files_[entry.file].language],
          .name = names_[entry.name],
          .container = texts_[entry.container],
          .signature = texts_[entry.signature],
          .kind = entry.kind,
          .evidence = entry.evidence,
          .has_body = entry.has_body,
          .is_test = entry.is_test,
          .name_range = entry.name_range,
          .range = entry.range};
}

Definition Segment::definition(const DefinitionEntry& entry) const {
  Definition definition;
  definition.name = name(entry.name);
  definition.container = text(entry.container);
  definition.signature = text(entry.signature);
  definition.doc = text(entry.doc);
  definition.kind = entry.kind;
  definition.evidence = entry.evidence;
  definition.has_body = entry.has_body;
  definition.is_test = entry.is_test;
  definition.name_range = entry.name_range;
  definition.range = entry.range;
  return definition;
}

std::vector<std::pair<std::string, FileRecord>> Segment::records(
    const std::vector<bool>& wanted) const {
  std::vector<std::pair<std::string, FileRecord>> all;
  std::vector<std::uint32_t> place(files_.size());  // in `all`, of those that are wanted
  for (std::uint32_t i = 0; i < files_.size(); ++i) {
    if (!wanted[i]) continue;
    place[i] = checked_size(all.size());
    const File& file = files_[i];
    FileRecord record;
    record.language = text(file.language);
    record.hash = file.hash;
    record.n_bytes = file.n_bytes;
    record.n_lines = file.n_lines;
    record.coverage = file.coverage;
    for (std::uint32_t n = 0; n < file.n_definitions; ++n) {
      record.definitions.push_back(definition(definitions_[file.first_definition + n]));
    }
    for (std::uint32_t n = 0; n < file.n_imports; ++n) {
      const ImportEntry& import = imports_[file.first_import + n];
      record.imports.push_back({std::string(text(import.target)), import.range});
    }
    for (std::uint32_t n = 0; n < file.n_chunks; ++n) {
      const ChunkEntry& chunk = chunks_[file.first_chunk + n];
      record.chunks.push_back({chunk.range, chunk.hash, {}});
    }
    all.emplace_back(path_of(i), std::move(record));
  }
  // Names are sorted here, so each file's come in order.
  const auto name_in = [&](std::uint32_t file, std::string_view name) {
    std::vector<std::string>& names = all[place[file]].second.names;
    if (names.empty() || names.back() != name) names.emplace_back(name);
    return static_cast<std::uint32_t>(names.size() - 1);
  };
  for (std::uint32_t id = 0; id < names_.size(); ++id) {
    for_each_reference(id, [&](std::uint32_t file, std::span<const std::uint32_t> offsets) {
      if (!wanted[file]) return;
      const std::uint32_t name_idx = name_in(file, names_[id]);
      for (const std::uint32_t offset : offsets) {
        all[place[file]].second.references.push_back({name_idx, offset});
      }
    });
    for_each_term(id, [&](std::uint32_t chunk, std::uint32_t count) {
      const std::uint32_t file = chunks_[chunk].file;
      if (!wanted[file]) return;
      auto& chunks = all[place[file]].second.chunks;
      chunks[chunk - files_[file].first_chunk].terms.push_back({name_in(file, names_[id]), count});
    });
  }
  for (auto& [path, record] : all) {
    std::sort(record.references.begin(),
              record.references.end(),
              [](const Reference& a, const Reference& b) { return a.offset < b.offset; });
  }
  return all;
}

std::size_t Segment::memory() const {
  const auto bytes = [](const auto& list) { return list.capacity() * sizeof(list[0]); };
  return sizeof(Segment) + names_.memory() + name_slots_.memory() + texts_.memory() +
         references_.memory() + terms_.memory() + bytes(files_) + bytes(by_path_) +
         bytes(definitions_) + bytes(by_name_) + bytes(first_of_name_) + bytes(imports_) +
         bytes(chunks_);
}

}  // namespace kinglet::indexer
