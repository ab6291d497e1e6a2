#include "indexer/index.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "indexer/fuzzy.h"
#include "indexer/segment.h"

namespace kinglet::indexer {
namespace {

// Segments of like size that pile up before they become one.
constexpr std::size_t kMergeWidth = 8;
// Their records are in memory together.
constexpr std::size_t kDumpedAtOnce = 2000;

bool is_dead(const std::shared_ptr<const std::vector<bool>>& dead, std::uint32_t file) {
  return dead && (*dead)[file];
}

// By place: the order of a file and of a list of files.
bool comes_before(const Symbol& a, const Symbol& b) {
  return std::tie(a.path, a.definition.range.begin, a.definition.name_range.begin) <
         std::tie(b.path, b.definition.range.begin, b.definition.name_range.begin);
}

std::size_t tier_of(std::size_t n_files) {
  std::size_t tier = 0;
  for (; n_files >= kMergeWidth; n_files /= kMergeWidth)
    ++tier;
  return tier;
}

void write_record(std::string& out, const std::string& path, const FileRecord& record) {
  const auto range = [](ByteRange r) {
    return std::to_string(r.begin) + "-" + std::to_string(r.end);
  };
  out += "file " + path + " " + record.language + " " + to_hex(record.hash) + " bytes " +
         std::to_string(record.n_bytes) + " lines " + std::to_string(record.n_lines) +
         " coverage " + std::to_string(static_cast<int>(record.coverage)) + "\n";
  for (const Import& import : record.imports) {
    out += "  import " + range(import.range) + " " + import.target + "\n";
  }
  for (const Definition& definition : record.definitions) {
    out += "  define " + range(definition.range) + " " + range(definition.name_range) + " ";
    out += name_of(definition.kind);
    out += (definition.has_body ? " body" : "");
    out += (definition.is_test ? " test" : "");
    out += (definition.evidence == Evidence::kLexical ? " lexical" : "");
    out +=
        " [" + definition.container + "] " + definition.name + ": " + definition.signature + "\n";
    if (!definition.doc.empty()) {
      out += "    doc ";
      for (const char c : definition.doc)
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
      out += "\n";
    }
  }
  for (const Reference& reference : record.references) {
    out +=
        "  use " + std::to_string(reference.offset) + " " + record.names[reference.name_idx] + "\n";
  }
  for (const Chunk& chunk : record.chunks) {
    out += "  chunk " + range(chunk.range) + " " + std::to_string(chunk.hash);
    for (const Term& term : chunk.terms) {
      out += " " + record.names[term.name_idx] + ":" + std::to_string(term.count);
    }
    out += "\n";
  }
}

}  // namespace

// --- reading -------------------------------------------------------------------------------------

std::vector<Symbol> Snapshot::definitions(std::string_view name) const {
  std::vector<Symbol> symbols;
  const std::uint64_t hash = NameSlots::hash(name);
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_name(name, hash);
    if (!id) continue;
    for (const std::uint32_t i : segment.definitions_of(*id)) {
      const Segment::DefinitionEntry& entry = segment.definitions()[i];
      if (is_dead(part.dead, entry.file)) continue;
      symbols.push_back({std::string(segment.path_of(entry.file)),
                         std::string(segment.text(segment.files()[entry.file].language)),
                         segment.definition(entry)});
    }
  }
  std::sort(symbols.begin(), symbols.end(), comes_before);
  return symbols;
}

std::vector<Symbol> Snapshot::find_symbols(const SymbolQuery& query) const {
  // Names first: they are few beside symbols, and most are no match.
  struct Name {
    int score;
    std::string_view name;
  };
  std::vector<Name> names;
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const bool is_fuzzy = query.match == SymbolQuery::Match::kFuzzy;
    const bool is_exact = query.match == SymbolQuery::Match::kExact;
    const auto n_names = static_cast<std::uint32_t>(segment.n_names());
    for (std::uint32_t id = is_fuzzy ? 0 : segment.lower_bound(query.text); id < n_names; ++id) {
      const std::string_view name = segment.name(id);
      if (is_exact ? name != query.text : !is_fuzzy && !name.starts_with(query.text)) break;
      if (segment.definitions_of(id).empty()) continue;
      const auto score = is_fuzzy ? fuzzy_score(query.text, name) : 0;
      if (score) names.push_back({*score, name});
    }
  }
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) {
    return a.score != b.score ? a.score > b.score : a.name < b.name;
  });
  names.erase(std::unique(names.begin(),
                          names.end(),
                          [](const Name& a, const Name& b) { return a.name == b.name; }),
              names.end());

  std::vector<Symbol> symbols;
  for (const Name& name : names) {
    for (Symbol& symbol : definitions(name.name)) {
      if (symbols.size() == query.limit) return symbols;
      if (!query.kind || symbol.definition.kind == *query.kind)
        symbols.push_back(std::move(symbol));
    }
  }
  return symbols;
}

Symbol SymbolView::symbol() const {
  return {.path = std::string(path),
          .language = std::string(language),
          .definition = {.name = std::string(name),
                         .container = std::string(container),
                         .signature = std::string(signature),
                         .doc = {},
                         .kind = kind,
                         .evidence = evidence,
                         .has_body = has_body,
                         .is_test = is_test,
                         .name_range = name_range,
                         .range = range}};
}

std::vector<Symbol> Snapshot::definitions_in(std::string_view path) const {
  std::vector<Symbol> symbols;
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_file(path);
    if (!id || is_dead(part.dead, *id)) continue;
    const Segment::File& file = segment.files()[*id];
    for (std::uint32_t i = 0; i < file.n_definitions; ++i) {
      symbols.push_back({std::string(path),
                         std::string(segment.text(file.language)),
                         segment.definition(segment.definitions()[file.first_definition + i])});
    }
  }
  return symbols;
}

void Snapshot::for_each_definition(std::string_view name,
                                   const std::function<void(const SymbolView&)>& visit,
                                   std::size_t most) const {
  const std::uint64_t hash = NameSlots::hash(name);
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_name(name, hash);
    if (!id) continue;
    for (const std::uint32_t i : segment.definitions_of(*id)) {
      const Segment::DefinitionEntry& entry = segment.definitions()[i];
      if (is_dead(part.dead, entry.file)) continue;
      if (most-- == 0) return;
      visit(segment.view(entry));
    }
  }
}

void Snapshot::for_each_definition_in(std::string_view path,
                                      const std::function<void(const SymbolView&)>& visit) const {
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_file(path);
    if (!id || is_dead(part.dead, *id)) continue;
    const Segment::File& file = segment.files()[*id];
    for (std::uint32_t i = 0; i < file.n_definitions; ++i)
      visit(segment.view(segment.definitions()[file.first_definition + i]));
  }
}

std::vector<ReferenceSite> Snapshot::references(std::string_view name) const {
  std::vector<ReferenceSite> sites;
  const std::uint64_t hash = NameSlots::hash(name);
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_name(name, hash);
    if (!id) continue;
    segment.for_each_reference(
        *id, [&](std::uint32_t file, std::span<const std::uint32_t> offsets) {
          if (is_dead(part.dead, file)) return;
          sites.push_back({std::string(segment.path_of(file)), {offsets.begin(), offsets.end()}});
        });
  }
  std::sort(sites.begin(), sites.end(), [](const ReferenceSite& a, const ReferenceSite& b) {
    return a.path < b.path;
  });
  return sites;
}

std::size_t Snapshot::n_defining_files(std::string_view name) const {
  std::size_t n_files = 0;
  const std::uint64_t hash = NameSlots::hash(name);
  for (const Part& part : parts_) {
    const auto id = part.segment->find_name(name, hash);
    if (!id || part.segment->definitions_of(*id).empty()) continue;
    std::vector<std::uint32_t> files;
    for (const std::uint32_t i : part.segment->definitions_of(*id)) {
      const std::uint32_t file = part.segment->definitions()[i].file;
      if (!is_dead(part.dead, file)) files.push_back(file);
    }
    std::sort(files.begin(), files.end());
    n_files += static_cast<std::size_t>(std::unique(files.begin(), files.end()) - files.begin());
  }
  return n_files;
}

std::vector<Import> Snapshot::imports_of(std::string_view path) const {
  std::vector<Import> imports;
  for (const Part& part : parts_) {
    const auto id = part.segment->find_file(path);
    if (!id || is_dead(part.dead, *id)) continue;
    const Segment::File& file = part.segment->files()[*id];
    for (std::uint32_t i = 0; i < file.n_imports; ++i) {
      const Segment::ImportEntry& entry = part.segment->imports()[file.first_import + i];
      imports.push_back({std::string(part.segment->text(entry.target)), entry.range});
    }
  }
  return imports;
}

std::optional<FileInfo> Snapshot::file(std::string_view path) const {
  for (const Part& part : parts_) {
    const auto id = part.segment->find_file(path);
    if (!id || is_dead(part.dead, *id)) continue;
    const Segment::File& file = part.segment->files()[*id];
    return FileInfo{std::string(path),
                    std::string(part.segment->text(file.language)),
                    file.hash,
                    file.n_bytes,
                    file.n_lines,
                    file.coverage};
  }
  return std::nullopt;
}

std::vector<FileInfo> Snapshot::files() const {
  std::vector<FileInfo> files;
  for (const Part& part : parts_) {
    for (std::uint32_t i = 0; i < part.segment->files().size(); ++i) {
      if (is_dead(part.dead, i)) continue;
      const Segment::File& file = part.segment->files()[i];
      files.push_back({std::string(part.segment->path_of(i)),
                       std::string(part.segment->text(file.language)),
                       file.hash,
                       file.n_bytes,
                       file.n_lines,
                       file.coverage});
    }
  }
  std::sort(files.begin(), files.end(), [](const FileInfo& a, const FileInfo& b) {
    return a.path < b.path;
  });
  return files;
}

std::size_t Snapshot::n_files() const {
  std::size_t n_files = 0;
  for (const Part& part : parts_)
    n_files += part.n_live;
  return n_files;
}

IndexStats Snapshot::stats() const {
  IndexStats stats;
  for (const Part& part : parts_) {
    for (std::uint32_t i = 0; i < part.segment->files().size(); ++i) {
      if (is_dead(part.dead, i)) continue;
      const Segment::File& file = part.segment->files()[i];
      ++stats.n_files;
      stats.n_definitions += file.n_definitions;
      stats.n_references += file.n_references;
      stats.n_chunks += file.n_chunks;
      stats.n_bytes += file.n_bytes;
    }
    (part.segment->is_in_file() ? stats.in_files : stats.memory) += part.segment->memory();
    if (part.dead) stats.memory += part.dead->size() / 8;
  }
  return stats;
}

void Snapshot::release_pages() const {
  for (const Part& part : parts_)
    part.segment->release_pages();
}

std::string Snapshot::dump() const {
  std::string out;
  for (std::size_t first = 0;; first += kDumpedAtOnce) {
    const std::string part = dump(first, kDumpedAtOnce);
    if (part.empty()) return out;
    out += part;
  }
}

std::string Snapshot::dump(std::size_t first, std::size_t n) const {
  struct Place {
    std::string_view path;
    std::size_t part;
    std::uint32_t file;
  };
  std::vector<Place> places;
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    const Segment& segment = *parts_[part].segment;
    for (std::uint32_t file = 0; file < segment.files().size(); ++file) {
      if (!is_dead(parts_[part].dead, file)) places.push_back({segment.path_of(file), part, file});
    }
  }
  std::ranges::sort(places, {}, &Place::path);
  std::map<std::string, FileRecord> records;
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    std::vector<bool> wanted(parts_[part].segment->files().size());
    bool has_wanted = false;
    for (std::size_t i = first; i < std::min(first + n, places.size()); ++i) {
      if (places[i].part != part) continue;
      wanted[places[i].file] = true;
      has_wanted = true;
    }
    if (!has_wanted) continue;
    for (auto& record : parts_[part].segment->records(wanted))
      records.insert(std::move(record));
  }
  std::string out;
  for (const auto& [path, record] : records)
    write_record(out, path, record);
  return out;
}

// --- writing -------------------------------------------------------------------------------------

void Index::put(std::string path, FileRecord record) {
  std::vector<std::pair<std::string, FileRecord>> files;
  files.emplace_back(std::move(path), std::move(record));
  put(std::move(files));
}

void Index::put(std::vector<std::pair<std::string, FileRecord>> files) {
  // By path; of one path the last.
  std::stable_sort(
      files.begin(), files.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::shared_ptr<const Segment>> segments;
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (i + 1 < files.size() && files[i].first == files[i + 1].first) continue;
    segments.push_back(Segment::of_file(files[i].first, files[i].second));
    paths.push_back(std::move(files[i].first));
    files[i].second = {};
  }
  if (segments.empty()) return;
  if (segments.size() > 1) {
    std::vector<Segment::Input> inputs;
    inputs.reserve(segments.size());
    for (const auto& segment : segments)
      inputs.push_back({segment.get(), nullptr});
    segments = {Segment::merge(inputs)};
  }

  const std::lock_guard writing(writer_);
  Snapshot next = snapshot();
  next.drop(paths);
  next.parts_.push_back({std::move(segments.front()), nullptr, paths.size()});
  next.compact(max_segment_bytes_);
  publish(std::move(next));
}

bool Index::remove(std::string_view path) {
  const std::lock_guard writing(writer_);
  Snapshot next = snapshot();
  const std::string paths[] = {std::string(path)};
  if (next.drop(paths) == 0) return false;
  next.compact(max_segment_bytes_);
  publish(std::move(next));
  return true;
}

void Index::clear() {
  const std::lock_guard writing(writer_);
  publish({});
}

Result<std::size_t> Index::move_to_file(const std::filesystem::path& folder,
                                        std::size_t min_bytes) {
  const std::lock_guard writing(writer_);
  Snapshot next = snapshot();
  const auto size_of = [](const Snapshot::Part& part) {
    return part.segment->is_in_file() ? 0 : part.segment->memory();
  };
  const auto largest = std::ranges::max_element(next.parts_, {}, size_of);
  if (largest == next.parts_.end() || size_of(*largest) == 0 || size_of(*largest) < min_bytes)
    return 0;
  const std::size_t n_bytes = size_of(*largest);
  largest->segment = TRY(Segment::moved_to_file(*largest->segment, folder));
  publish(std::move(next));
  return n_bytes;
}

Snapshot Index::snapshot() const {
  const std::lock_guard lock(current_mutex_);
  return current_;
}

void Index::publish(Snapshot next) {
  // The last owner of the old parts frees them, outside the lock.
  const std::lock_guard lock(current_mutex_);
  std::swap(current_.parts_, next.parts_);
}

Snapshot Snapshot::with(std::span<const Overlaid> files) const {
  Snapshot next = *this;
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const Overlaid& file : files)
    paths.push_back(file.path);
  next.drop(paths);
  for (const Overlaid& file : files)
    next.parts_.push_back({file.segment, nullptr, 1});
  return next;
}

std::size_t Snapshot::drop(std::span<const std::string> paths) {
  std::size_t n_dropped = 0;
  for (Part& part : parts_) {
    std::shared_ptr<std::vector<bool>> dead;  // a copy, once something changes
    for (const std::string& path : paths) {
      const auto file = part.segment->find_file(path);
      if (!file || is_dead(part.dead, *file)) continue;
      if (!dead) {
        dead = part.dead ? std::make_shared<std::vector<bool>>(*part.dead)
                         : std::make_shared<std::vector<bool>>(part.segment->files().size(), false);
      }
      (*dead)[*file] = true;
      --part.n_live;
      ++n_dropped;
    }
    if (dead) part.dead = std::move(dead);
  }
  std::erase_if(parts_, [](const Part& part) { return part.n_live == 0; });
  return n_dropped;
}

void Snapshot::compact(std::size_t max_segment_bytes) {
  const auto merged = [](std::span<const Part> parts) {
    std::vector<Segment::Input> inputs;
    std::size_t n_live = 0;
    for (const Part& part : parts) {
      inputs.push_back({part.segment.get(), part.dead.get()});
      n_live += part.n_live;
    }
    return Part{Segment::merge(inputs), nullptr, n_live};
  };
  for (Part& part : parts_) {
    if (part.n_live * 2 < part.segment->files().size()) part = merged(std::span(&part, 1));
  }
  // One that may not be merged any more counts as larger than all that may.
  const auto tier_of_part = [&](const Part& part) {
    const bool is_full = part.segment->memory() > max_segment_bytes / kMergeWidth;
    return is_full ? SIZE_MAX : tier_of(part.n_live);
  };
  // Large first; the small ones at the end become one when there are many of a kind.
  const auto sort = [&] { std::ranges::stable_sort(parts_, std::greater(), tier_of_part); };
  sort();
  while (parts_.size() >= kMergeWidth) {
    const std::size_t tier = tier_of_part(parts_.back());
    if (tier == SIZE_MAX) break;
    const auto first =
        std::ranges::find_if(parts_, [&](const Part& part) { return tier_of_part(part) <= tier; });
    const auto begin = static_cast<std::size_t>(first - parts_.begin());
    if (parts_.size() - begin < kMergeWidth) break;
    Part one = merged(std::span(parts_).subspan(begin));
    parts_.erase(first, parts_.end());
    parts_.push_back(std::move(one));
    sort();
  }
}

}  // namespace kinglet::indexer
