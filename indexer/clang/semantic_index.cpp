#include "indexer/clang/semantic_index.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace kinglet::indexer::clang {

namespace {

/// Two of one file with the same fingerprint say the same.
ContentHash fingerprint_of(const FileSemantics& file) {
  std::string bytes;
  const auto append = [&](std::uint64_t number) {
    char raw[8];
    std::memcpy(raw, &number, 8);
    bytes.append(raw, 8);
  };
  append(file.hash.high);
  append(file.hash.low);
  for (const auto& symbol : file.symbols)
    append(static_cast<std::uint64_t>(symbol.key));
  for (const Occurrence& occurrence : file.occurrences) {
    append(std::uint64_t{occurrence.offset} << 32 | occurrence.symbol_idx);
    append(std::uint64_t{occurrence.container_idx} << 32 |
           static_cast<std::uint64_t>(occurrence.length) << 8 |
           static_cast<std::uint64_t>(occurrence.role) << 1 |
           static_cast<std::uint64_t>(occurrence.is_implicit));
  }
  return hash_content(bytes);
}

double confidence_of(CommandSource source) {
  switch (source) {
    case CommandSource::kDatabase:
      return 1;
    case CommandSource::kSibling:
      return 0.9;
    case CommandSource::kInferred:
      return 0.7;
  }
  return 0;
}

void sort_places(std::vector<SemanticPlace>& places) {
  std::ranges::sort(places, [](const SemanticPlace& a, const SemanticPlace& b) {
    return std::tie(a.path, a.hash, a.range.begin, a.is_implicit, a.role) <
           std::tie(b.path, b.hash, b.range.begin, b.is_implicit, b.role);
  });
  const auto is_same = [](const SemanticPlace& a, const SemanticPlace& b) {
    return a.path == b.path && a.hash == b.hash && a.range == b.range &&
           a.is_implicit == b.is_implicit && a.role == b.role;
  };
  places.erase(std::unique(places.begin(), places.end(), is_same), places.end());
}

}  // namespace

// ---- writing

std::uint32_t SemanticIndex::intern(const SemanticSymbol& symbol) {
  const auto key = static_cast<std::uint64_t>(symbol.key);
  const auto known = symbol_of_.find(key);
  if (known != symbol_of_.end()) {
    ++symbols_[known->second].n_files;
    return known->second;
  }
  std::uint32_t idx = 0;
  if (free_symbols_.empty()) {
    idx = static_cast<std::uint32_t>(symbols_.size());
    symbols_.emplace_back();
  } else {
    idx = free_symbols_.back();
    free_symbols_.pop_back();
  }
  symbols_[idx] = {symbol, 1};
  symbol_of_.emplace(key, idx);
  return idx;
}

std::unique_ptr<SemanticIndex::File> SemanticIndex::compact(const FileSemantics& file) {
  auto compacted = std::make_unique<File>();
  compacted->path = file.path;
  compacted->hash = file.hash;
  std::vector<std::uint32_t> number_of;
  number_of.reserve(file.symbols.size());
  for (const auto& symbol : file.symbols)
    number_of.push_back(intern(symbol));
  compacted->places.reserve(file.occurrences.size());
  for (const Occurrence& occurrence : file.occurrences) {
    compacted->places.push_back({.offset = occurrence.offset,
                                 .symbol = number_of[occurrence.symbol_idx],
                                 .container = occurrence.container_idx == kNoContainer
                                                  ? kNoContainer
                                                  : number_of[occurrence.container_idx],
                                 .length = occurrence.length,
                                 .role = occurrence.role,
                                 .is_implicit = occurrence.is_implicit});
  }
  std::ranges::sort(number_of);
  compacted->symbols = std::move(number_of);
  return compacted;
}

void SemanticIndex::put(const UnitRecord& record, CommandSource source) {
  const std::scoped_lock lock(mutex_);
  remove_unit(record.main_path);
  Unit& unit = units_[record.main_path];
  unit.source = source;
  for (const FileSemantics& file : record.files) {
    auto& entries = files_[file.path];
    const ContentHash fingerprint = fingerprint_of(file);
    auto same = std::ranges::find_if(
        entries, [&](const auto& entry) { return entry->fingerprint == fingerprint; });
    if (same == entries.end()) {
      entries.push_back(compact(file));
      entries.back()->fingerprint = fingerprint;
      same = entries.end() - 1;
    }
    (*same)->units.insert(record.main_path);
    unit.files.push_back(same->get());
  }
}

void SemanticIndex::drop(File* file) {
  for (const std::uint32_t idx : file->symbols) {
    if (--symbols_[idx].n_files > 0) continue;
    symbol_of_.erase(static_cast<std::uint64_t>(symbols_[idx].symbol.key));
    symbols_[idx] = {};
    free_symbols_.push_back(idx);
  }
  const auto entries = files_.find(file->path);
  std::erase_if(entries->second, [&](const auto& entry) { return entry.get() == file; });
  if (entries->second.empty()) files_.erase(entries);
}

void SemanticIndex::remove(const std::string& main_path) {
  const std::scoped_lock lock(mutex_);
  remove_unit(main_path);
}

void SemanticIndex::remove_unit(const std::string& main_path) {
  const auto unit = units_.find(main_path);
  if (unit == units_.end()) return;
  for (File* file : unit->second.files) {
    file->units.erase(main_path);
    if (file->units.empty()) drop(file);
  }
  units_.erase(unit);
}

void SemanticIndex::clear() {
  const std::scoped_lock lock(mutex_);
  units_.clear();
  files_.clear();
  symbol_of_.clear();
  symbols_.clear();
  free_symbols_.clear();
}

// ---- reading

double SemanticIndex::confidence_of(const File& file) const {
  double best = 0;
  for (const auto& name : file.units) {
    best = std::max(best, clang::confidence_of(units_.at(name).source));
  }
  return best;
}

SemanticPlace SemanticIndex::describe(const File& file, const Place& place) const {
  return {.path = file.path,
          .hash = file.hash,
          .range = {place.offset, place.offset + place.length},
          .role = place.role,
          .is_implicit = place.is_implicit,
          .container =
              place.container == kNoContainer ? SymbolKey{} : symbols_[place.container].symbol.key};
}

void SemanticIndex::add_places(std::uint32_t symbol, std::vector<SemanticPlace>& places) const {
  for (const auto& [path, entries] : files_) {
    for (const auto& file : entries) {
      if (!std::ranges::binary_search(file->symbols, symbol)) continue;
      for (const Place& place : file->places) {
        if (place.symbol == symbol) places.push_back(describe(*file, place));
      }
    }
  }
}

std::optional<SemanticAnswer> SemanticIndex::find(std::string_view path,
                                                  const ContentHash& hash,
                                                  std::uint32_t offset) const {
  const std::scoped_lock lock(mutex_);
  const auto entries = files_.find(path);
  if (entries == files_.end()) return std::nullopt;
  // The best is a name that the offset is in, then one that it stands behind; what is written
  // before what is implied.
  int best = 0;
  SemanticAnswer answer;
  answer.confidence = 0;
  std::set<std::uint32_t> meant;
  for (const auto& file : entries->second) {
    if (file->hash != hash) continue;
    const auto behind = std::ranges::upper_bound(file->places, offset, {}, &Place::offset);
    for (auto place = behind; place != file->places.begin();) {
      --place;
      const std::uint32_t end = place->offset + place->length;
      // Implied ones may be long, but no name is as long as this.
      if (offset - place->offset > 1024) break;
      if (offset > end) continue;
      const int rank = (offset < end ? 2 : 1) + (place->is_implicit ? 0 : 2);
      if (rank < best) continue;
      if (rank > best) meant.clear();
      best = rank;
      meant.insert(place->symbol);
      answer.name = {place->offset, end};
      answer.confidence = std::max(answer.confidence, confidence_of(*file));
    }
  }
  if (meant.empty()) return std::nullopt;
  for (const std::uint32_t idx : meant) {
    answer.symbols.push_back(symbols_[idx].symbol);
    std::vector<SemanticPlace> places;
    add_places(idx, places);
    for (SemanticPlace& place : places) {
      if (place.role == Role::kDefinition)
        answer.definitions.push_back(std::move(place));
      else if (place.role == Role::kDeclaration)
        answer.declarations.push_back(std::move(place));
    }
  }
  std::ranges::sort(answer.symbols, {}, &SemanticSymbol::key);
  sort_places(answer.definitions);
  sort_places(answer.declarations);
  return answer;
}

bool SemanticIndex::has_name_at(std::string_view path,
                                const ContentHash& hash,
                                std::uint32_t offset) const {
  const std::scoped_lock lock(mutex_);
  const auto entries = files_.find(path);
  if (entries == files_.end()) return false;
  return std::ranges::any_of(entries->second, [&](const auto& file) {
    return file->hash == hash &&
           std::ranges::binary_search(file->places, offset, {}, &Place::offset);
  });
}

std::optional<SemanticSymbol> SemanticIndex::symbol(SymbolKey key) const {
  const std::scoped_lock lock(mutex_);
  const auto known = symbol_of_.find(static_cast<std::uint64_t>(key));
  if (known == symbol_of_.end()) return std::nullopt;
  return symbols_[known->second].symbol;
}

std::vector<SemanticPlace> SemanticIndex::places(SymbolKey key) const {
  const std::scoped_lock lock(mutex_);
  std::vector<SemanticPlace> places;
  const auto known = symbol_of_.find(static_cast<std::uint64_t>(key));
  if (known != symbol_of_.end()) add_places(known->second, places);
  sort_places(places);
  return places;
}

std::vector<SymbolKey> SemanticIndex::overriding(SymbolKey key) const {
  const std::scoped_lock lock(mutex_);
  std::vector<SymbolKey> keys;
  for (const auto& [symbol, n_files] : symbols_) {
    if (n_files > 0 && std::ranges::binary_search(symbol.overrides, key)) {
      keys.push_back(symbol.key);
    }
  }
  std::ranges::sort(keys);
  return keys;
}

std::vector<SymbolKey> SemanticIndex::family(SymbolKey key) const {
  const auto grow = [&](auto&& next_of) {
    std::vector<SymbolKey> keys = {key};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      for (const SymbolKey next : next_of(keys[i])) {
        if (std::ranges::find(keys, next) == keys.end()) keys.push_back(next);
      }
    }
    return keys;
  };
  std::vector<SymbolKey> keys = grow([&](SymbolKey from) {
    const auto known = symbol(from);
    return known ? known->overrides : std::vector<SymbolKey>();
  });
  const auto below = grow([&](SymbolKey from) { return overriding(from); });
  keys.insert(keys.end(), below.begin() + 1, below.end());
  return keys;
}

bool SemanticIndex::knows(std::string_view path, const ContentHash& hash) const {
  const std::scoped_lock lock(mutex_);
  const auto entries = files_.find(path);
  return entries != files_.end() &&
         std::ranges::any_of(entries->second, [&](const auto& file) { return file->hash == hash; });
}

std::vector<std::string> SemanticIndex::units_with(std::string_view path) const {
  const std::scoped_lock lock(mutex_);
  std::set<std::string> units;
  const auto entries = files_.find(path);
  if (entries == files_.end()) return {};
  for (const auto& file : entries->second)
    units.insert(file->units.begin(), file->units.end());
  return {units.begin(), units.end()};
}

bool SemanticIndex::has_unit(const std::string& main_path) const {
  const std::scoped_lock lock(mutex_);
  return units_.contains(main_path);
}

SemanticStats SemanticIndex::stats() const {
  const std::scoped_lock lock(mutex_);
  SemanticStats stats;
  stats.n_units = units_.size();
  stats.n_symbols = symbol_of_.size();
  for (const auto& [symbol, n_files] : symbols_) {
    stats.memory += sizeof(Symbol) + 48 + symbol.name.capacity() + symbol.overrides.capacity() * 8 +
                    (symbol.outside ? symbol.outside->path.capacity() : 0);
  }
  for (const auto& [path, entries] : files_) {
    for (const auto& file : entries) {
      ++stats.n_files;
      stats.n_occurrences += file->places.size();
      stats.memory += sizeof(File) + file->path.capacity() + file->symbols.capacity() * 4 +
                      file->places.capacity() * sizeof(Place) + file->units.size() * 80;
    }
  }
  return stats;
}

}  // namespace kinglet::indexer::clang
