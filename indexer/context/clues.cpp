#include "indexer/context/clues.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "indexer/identifiers.h"
#include "indexer/language.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMinNameBytes = 3;
// Of more definitions of one name none is looked at.
constexpr std::size_t kMaxDefinitions = 2000;
constexpr std::uint32_t kMaxWordDistance = 40;  // lines
// Of the current file, before the line and after it.
constexpr std::size_t kMaxLookedAt = 16 << 10;
constexpr std::size_t kMaxRecentFiles = 8;
constexpr float kFarWeight = 0.15F;  // of a use in the file that is out of sight

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
}

std::string_view stem_of(std::string_view path) {
  const std::string_view file = path.substr(folder_of(path).size());
  return file.substr(0, file.find('.'));
}

// The end of a path that an import names: "db/table.h" as it is, "os.path" and "crate::io" in
// parts.
std::string target_of(const Import& import) {
  std::string target = import.target;
  if (target.find('/') == std::string::npos && target.find(".h") == std::string::npos) {
    std::ranges::replace(target, '.', '/');
    for (std::size_t at = 0; (at = target.find("::", at)) != std::string::npos;) {
      target[at] = '/';
      target.erase(at + 1, 1);
    }
  }
  while (target.starts_with("../") || target.starts_with("./"))
    target.erase(0, target.find('/') + 1);
  return target;
}

template <class Map>
auto* find_in(Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

Clues::Clues(const Snapshot& index,
             const std::vector<NearName>& names,
             const SignatureRequest& request)
    : index_(index), names_(names), request_(request) {
  for (const Import& import : index.imports_of(request.path))
    imports_.insert(target_of(import));
  // A new file is not indexed yet, an ignored one never is.
  const auto own = index.file(request.path);
  language_ = own ? own->language : language_of(request.path, request.before).name;
  if (request.history != nullptr) {
    for (const Companion& other : request.history->together(request.path))
      changed_[other.path] = in_steps(std::sqrt(static_cast<float>(other.share)));
  }
  look_at_file();
  look_at_similar();
  find_related_files();
}

const NearName* Clues::near(std::string_view name) const {
  const auto* const found = find_in(near_, name);
  return found == nullptr ? nullptr : *found;
}
const Clues::InFile* Clues::in_file(std::string_view name) const {
  return find_in(in_file_, name);
}
const Clues::Together* Clues::together(std::string_view name) const {
  return find_in(together_, name);
}
float Clues::weight_of_word(std::uint64_t word) const {
  const auto known = words_.find(word);
  return known == words_.end() ? 0 : known->second;
}

void Clues::look_at_file() {
  for (const NearName& name : names_) {
    near_[name.name] = &name;
    if (name.distance > kMaxWordDistance) continue;
    for_each_word_of(name.name, [&](std::uint64_t word) {
      float& weight = words_[word];
      weight = std::max(weight, std::min(1.0F, name.weight));
    });
  }
  for (const bool is_after : {false, true}) {
    const std::string_view whole = is_after ? request_.after : request_.before;
    const std::size_t n_bytes = std::min(whole.size(), kMaxLookedAt);
    const std::string_view text = whole.substr(is_after ? 0 : whole.size() - n_bytes, n_bytes);
    for_each_identifier(text, [&](std::size_t at, std::string_view name) {
      if (name.size() < kMinNameBytes) return;
      const auto [entry, is_new] = in_file_.try_emplace(name);
      if (is_new) all_names_.push_back(name);
      InFile& in_file = entry->second;
      ++in_file.n_uses;
      const std::size_t distance = is_after ? at : text.size() - at;
      in_file.distance = std::min(in_file.distance, distance);
    });
  }
}

// What code uses that shares most with the neighborhood.
void Clues::look_at_similar() {
  float total = 0;
  for (const SimilarCandidate& similar : request_.similar)
    total += similar.hit.score;
  for (const SimilarCandidate& similar : request_.similar) {
    for_each_identifier(similar.text, [&](std::size_t, std::string_view name) {
      if (name.size() < kMinNameBytes) return;
      const auto [entry, is_new] = together_.try_emplace(name);
      if (is_new && !in_file_.contains(name)) all_names_.push_back(name);
      Together& together = entry->second;
      if (std::exchange(together.last, &similar) == &similar) return;
      together.sum += similar.hit.score / total;
      together.best =
          std::max(together.best, similar.hit.score / request_.similar.front().hit.score);
    });
  }
}

// Files whose definitions this one uses, and its other half.
void Clues::find_related_files() {
  const std::size_t n_own = in_file_.size();
  std::vector<SymbolView> views;
  for (std::size_t i = 0; i < n_own; ++i) {
    const std::string_view name = all_names_[i];
    const Definitions known = definitions_of(name, views);
    definitions_[name] = {views_.size(), views_.size() + known.views.size(), known.n_files};
    views_.insert(views_.end(), known.views.begin(), known.views.end());
    if (known.n_files == 0 || known.n_files > kMaxDefiningFiles) continue;
    const NearName* const near = this->near(name);
    const float weight =
        (near != nullptr ? near->weight : kFarWeight) / static_cast<float>(known.n_files);
    std::string_view last;  // definitions of one file follow each other
    for (const SymbolView& symbol : known.views) {
      if (symbol.path == request_.path) continue;
      if (std::exchange(last, symbol.path) != symbol.path) affinity_[symbol.path] += weight;
      if (near != nullptr && known.n_files <= kMaxShownFiles)
        shown_places_[symbol.path].push_back(symbol.name_range.begin);
    }
  }
  for (auto& [path, places] : shown_places_)
    std::ranges::sort(places);
  std::vector<std::pair<float, std::string_view>> files;
  for (const auto& [path, weight] : affinity_) {
    float bonus = stem_of(path) == stem_of(request_.path) ? 2.0F : 0.0F;
    if (is_imported(path)) bonus += 1.0F;
    if (const float* const changed = find_in(changed_, path)) bonus += *changed;
    files.emplace_back(-(weight + bonus), path);
    most_affine_ = std::max(most_affine_, weight);
  }
  std::ranges::sort(files);
  if (files.size() > request_.related_files) files.resize(request_.related_files);
  for (const auto& [weight, path] : files)
    related_.emplace_back(path);
  if (request_.recency == nullptr) return;
  // What someone just wrote nobody uses yet.
  for (const std::string_view path : request_.recency->paths().first(
           std::min(kMaxRecentFiles, request_.recency->paths().size()))) {
    if (path != request_.path && std::ranges::find(related_, path) == related_.end())
      related_.emplace_back(path);
  }
}

Clues::Definitions Clues::definitions_of(std::string_view name,
                                         std::vector<SymbolView>& views) const {
  if (const Range* const range = find_in(definitions_, name))
    return {std::span(views_).subspan(range->begin, range->end - range->begin), range->n_files};
  views.clear();
  index_.for_each_definition(
      name, [&](const SymbolView& symbol) { views.push_back(symbol); }, kMaxDefinitions + 1);
  if (views.size() > kMaxDefinitions) return {{}, views.size()};
  // Stable: two at one place come in their file's order, whatever the index's history.
  std::ranges::stable_sort(views, [](const SymbolView& a, const SymbolView& b) {
    return std::pair(a.path, a.name_range.begin) < std::pair(b.path, b.name_range.begin);
  });
  Definitions known{views, 0};
  std::string_view last;
  for (const SymbolView& symbol : views)
    known.n_files += std::exchange(last, symbol.path) != symbol.path ? 1 : 0;
  return known;
}

// A file may have thousands of imports, and each of them be asked of hundreds of files.
bool Clues::is_imported(std::string_view path) const {
  for (std::string_view end : {path, path.substr(0, path.rfind('.'))}) {
    for (;;) {
      if (imports_.contains(end)) return true;
      const std::size_t slash = end.find('/');
      if (slash == std::string_view::npos) break;
      end.remove_prefix(slash + 1);
    }
  }
  return false;
}

Clues::FileFacts Clues::facts_of(std::string_view path) const {
  FileFacts facts;
  facts.is_own = path == request_.path;
  facts.is_twin = !facts.is_own && stem_of(path) == stem_of(request_.path);
  facts.is_imported = is_imported(path);
  facts.is_near = folder_of(path) == folder_of(request_.path);
  if (const float* const affinity = find_in(affinity_, path))
    facts.affinity = std::sqrt(*affinity / most_affine_);
  if (const float* const together = find_in(changed_, path)) facts.together = *together;
  if (request_.recency != nullptr) facts.recent = request_.recency->of_file(path);
  facts.shown_places = find_in(shown_places_, path);
  return facts;
}

}  // namespace kinglet::indexer
