// Which definitions are worth their signature.
//
// Most names that a line will use stand near it already. Those that do not are the hard half: they
// are found by what similar code uses, by what the file uses elsewhere, by the files whose
// definitions it uses, by the members of types that are named, by words that names share, by what
// stands beside the definitions of names that are shown. Each is a weak sign; together they give a
// chance (signs.h).
#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "indexer/context/candidates.h"
#include "indexer/context/signs.h"
#include "indexer/identifiers.h"
#include "indexer/language.h"
#include "indexer/name_slots.h"

namespace kinglet::indexer {
namespace {

// Tens of thousands of names are looked up for one prompt.
struct TextHash {
  using is_avalanching = void;
  std::uint64_t operator()(std::string_view text) const { return NameSlots::hash(text); }
};
template <class Value>
using TextMap = boost::unordered_flat_map<std::string_view, Value, TextHash>;
template <class Text>
using TextSet = boost::unordered_flat_set<Text, TextHash>;

constexpr std::size_t kMinNameBytes = 3;
// A name that so many files define says nothing about which one is meant.
constexpr std::size_t kMaxDefiningFiles = 12;
// Of each related file all definitions are candidates, up to a limit.
constexpr std::size_t kMaxDefinitionsOfFile = 400;
constexpr std::uint32_t kMaxWordDistance = 40;  // lines
// A name that is shown and says much: of these every one gets a signature if there is room.
constexpr std::size_t kMinShownBytes = 5;
constexpr std::size_t kMaxShownFiles = 3;
// Of the current file, before the line and after it.
constexpr std::size_t kMaxLookedAt = 16 << 10;
constexpr float kBytesOfSight = 20'000;
constexpr std::size_t kMaxValueBytes = 160;
// Below, it is noise; and the sum of signs that gives it.
constexpr float kMinChance = 0.00003F;
constexpr float kMinSum = -10.42F;
// What a name in 1,000 chunks may still add to that sum.
constexpr float kMostForPopularity = 2.7F;
constexpr float kBytesNextTo = 200;
constexpr float kFarWeight = 0.15F;  // of a use in the file that is out of sight

bool is_type(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kUnion ||
         kind == SymbolKind::kInterface || kind == SymbolKind::kEnum || kind == SymbolKind::kType;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
}

std::string_view stem_of(std::string_view path) {
  const std::string_view file = path.substr(folder_of(path).size());
  return file.substr(0, file.find('.'));
}

// Whether code of one language commonly names what another defines.
bool can_use(std::string_view language, std::string_view other) {
  const auto family = [](std::string_view name) -> std::string_view {
    if (name == "cpp") return "c";
    if (name == "typescript" || name == "tsx") return "javascript";
    if (name == "kotlin") return "java";
    return name;
  };
  return family(language) == family(other);
}

bool is_imported(std::string_view path, const std::vector<Import>& imports) {
  const std::string_view without_ending = path.substr(0, path.rfind('.'));
  return std::ranges::any_of(imports, [&](const Import& import) {
    // "db/table.h" names a path's end; "os.path" and "crate::io" name it in parts.
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
    return !target.empty() && (path.ends_with(target) || without_ending.ends_with(target));
  });
}

// The words that a name is made of, as hashes: "ReadFile_at2" has read and file.
template <class Visit>
void for_each_word(std::string_view name, Visit visit) {
  std::uint64_t hash = 0;
  std::size_t n_bytes = 0;
  const auto flush = [&] {
    if (n_bytes >= 3) visit(hash);
    hash = 0;
    n_bytes = 0;
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    if (!is_upper && !is_lower) {
      flush();
      continue;
    }
    if (is_upper && i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z') flush();
    hash = hash * 31 + static_cast<std::uint64_t>(is_upper ? c - 'A' + 'a' : c);
    ++n_bytes;
  }
  flush();
}

// The same thing declared and defined.
std::string identity_of(const SymbolView& symbol) {
  std::string key;
  key.reserve(symbol.name.size() + symbol.container.size() + symbol.signature.size() + 1);
  key.append(symbol.name).push_back('\n');
  const std::size_t parenthesis = symbol.signature.find('(');
  if (parenthesis == std::string_view::npos)
    return key.append(symbol.container).append(symbol.signature);
  // The nearest scope: a definition outside of its namespace does not say all of them.
  const std::size_t scope = symbol.container.find_last_of(":.");
  key += symbol.container.substr(scope == std::string_view::npos ? 0 : scope + 1);
  // Parameters up to the closing bracket, without what a declaration alone says of them.
  for (const char c : symbol.signature.substr(parenthesis)) {
    if (c == '=') break;
    if (c != ' ') key += c;
    if (c == ')') break;
  }
  return key;
}

class Ranker {
 public:
  Ranker(const Snapshot& index, const std::vector<NearName>& names, const SignatureRequest& request)
      : index_(index), names_(names), request_(request), imports_(index.imports_of(request.path)) {
    // A new file is not indexed yet, an ignored one never is.
    const auto own = index.file(request.path);
    language_ = own ? own->language : language_of(request.path, request.before).name;
    if (request.history == nullptr) return;
    for (const Companion& other : request.history->together(request.path))
      changed_[other.path] = in_steps(std::sqrt(static_cast<float>(other.share)));
  }

  std::vector<SignatureCandidate> run() {
    look_at_file();
    look_at_similar();
    find_related_files();
    for (const auto& [name, count] : in_file_)
      add_name(name);
    for (const auto& [name, score] : together_)
      add_name(name);
    for (const std::string& path : related_)
      add_file(path);
    return finish();
  }

 private:
  struct Found {
    SymbolView symbol;
    float chance;
    bool is_shown;
  };

  void look_at_file() {
    for (const NearName& name : names_) {
      near_[name.name] = &name;
      if (name.distance > kMaxWordDistance) continue;
      for_each_word(name.name, [&](std::uint64_t word) {
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
        InFile& in_file = in_file_[name];
        ++in_file.n_uses;
        const std::size_t distance = is_after ? at : text.size() - at;
        in_file.distance = std::min(in_file.distance, distance);
      });
    }
  }

  // What code uses that shares most with the neighborhood.
  void look_at_similar() {
    float total = 0;
    for (const SimilarCandidate& similar : request_.similar)
      total += similar.hit.score;
    for (const SimilarCandidate& similar : request_.similar) {
      for_each_identifier(similar.text, [&](std::size_t, std::string_view name) {
        if (name.size() < kMinNameBytes) return;
        Together& together = together_[name];
        if (std::exchange(together.last, &similar) == &similar) return;
        together.sum += similar.hit.score / total;
        together.best =
            std::max(together.best, similar.hit.score / request_.similar.front().hit.score);
      });
    }
  }

  // Files whose definitions this one uses, and its other half.
  void find_related_files() {
    for (const auto& [name, in_file] : in_file_) {
      const Definitions known = definitions_of(name);
      if (known.n_files == 0 || known.n_files > kMaxDefiningFiles) continue;
      const auto near = near_.find(name);
      const float weight = (near != near_.end() ? near->second->weight : kFarWeight) /
                           static_cast<float>(known.n_files);
      std::string_view last;  // definitions of one file follow each other
      for (const SymbolView& symbol : views_of(known)) {
        if (symbol.path == request_.path) continue;
        if (std::exchange(last, symbol.path) != symbol.path) affinity_[symbol.path] += weight;
        if (near != near_.end() && known.n_files <= kMaxShownFiles)
          shown_places_[symbol.path].push_back(symbol.name_range.begin);
      }
    }
    for (auto& [path, places] : shown_places_)
      std::ranges::sort(places);
    std::vector<std::pair<float, std::string_view>> files;
    for (const auto& [path, weight] : affinity_) {
      float bonus = stem_of(path) == stem_of(request_.path) ? 2.0F : 0.0F;
      if (is_imported(path, imports_)) bonus += 1.0F;
      if (const auto changed = changed_.find(path); changed != changed_.end())
        bonus += changed->second;
      files.emplace_back(-(weight + bonus), path);
      most_affine_ = std::max(most_affine_, weight);
    }
    std::ranges::sort(files);
    if (files.size() > request_.related_files) files.resize(request_.related_files);
    for (const auto& [weight, path] : files)
      related_.emplace_back(path);
  }

  // What all definitions of one file share.
  struct FileFacts {
    float affinity = 0;
    bool is_twin = false;
    bool is_imported = false;
    bool is_near = false;  // in the same folder
    bool is_own = false;
    float together = 0;
    const std::vector<std::uint32_t>* shown_places = nullptr;
  };
  const FileFacts& facts_of(std::string_view path) {
    // Candidates of one file come one after the other, and say its path at one place.
    if (path.data() == last_path_.data() && path.size() == last_path_.size()) return *last_facts_;
    const auto [entry, is_new] = facts_.try_emplace(path);
    FileFacts& facts = entry->second;
    last_path_ = path;
    last_facts_ = &facts;
    if (!is_new) return facts;
    facts.is_own = path == request_.path;
    facts.is_twin = !facts.is_own && stem_of(path) == stem_of(request_.path);
    facts.is_imported = is_imported(path, imports_);
    facts.is_near = folder_of(path) == folder_of(request_.path);
    if (const auto affinity = affinity_.find(path); affinity != affinity_.end())
      facts.affinity = std::sqrt(affinity->second / most_affine_);
    if (const auto together = changed_.find(path); together != changed_.end())
      facts.together = together->second;
    if (const auto places = shown_places_.find(path); places != shown_places_.end())
      facts.shown_places = &places->second;
    return facts;
  }

  // Where those of one name are among views_, by path and place.
  struct Definitions {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t n_files = 0;
  };
  std::span<const SymbolView> views_of(Definitions known) const {
    return std::span(views_).subspan(known.begin, known.end - known.begin);
  }
  Definitions definitions_of(std::string_view name) {
    const auto [entry, is_new] = definitions_.try_emplace(name);
    Definitions& known = entry->second;
    if (!is_new) return known;
    known.begin = static_cast<std::uint32_t>(views_.size());
    index_.for_each_definition(name, [&](const SymbolView& symbol) { views_.push_back(symbol); });
    known.end = static_cast<std::uint32_t>(views_.size());
    const auto views = std::span(views_).subspan(known.begin);
    // Stable: two at one place come in their file's order, whatever the index's history.
    std::ranges::stable_sort(views, [](const SymbolView& a, const SymbolView& b) {
      return std::pair(a.path, a.name_range.begin) < std::pair(b.path, b.name_range.begin);
    });
    std::string_view last;
    for (const SymbolView& symbol : views)
      known.n_files += std::exchange(last, symbol.path) != symbol.path ? 1 : 0;
    return known;
  }

  std::size_t n_chunks_with(std::string_view name) {
    const auto [entry, is_new] = n_chunks_.try_emplace(name);
    if (is_new) entry->second = index_.n_chunks_with(name);
    return entry->second;
  }

  void add_name(std::string_view name) {
    if (!added_.insert(name).second) return;
    const Definitions known = definitions_of(name);
    if (known.n_files > kMaxDefiningFiles) return;
    for (const SymbolView& symbol : views_of(known))
      add(symbol, known.n_files);
  }

  void add_file(const std::string& path) {
    std::size_t n_left = kMaxDefinitionsOfFile;
    index_.for_each_definition_in(path, [&](const SymbolView& symbol) {
      if (n_left == 0) return;
      --n_left;
      if (!added_.contains(symbol.name)) add(symbol, 0);
    });
  }

  void add(const SymbolView& symbol, std::size_t n_known_files) {
    if (symbol.signature.empty() || symbol.kind >= SymbolKind::kModule ||
        symbol.kind == SymbolKind::kNamespace) {
      return;
    }
    // A table of values on one line costs much, and is often no code any more.
    const bool is_value = symbol.kind == SymbolKind::kVariable ||
                          symbol.kind == SymbolKind::kConstant || symbol.kind == SymbolKind::kField;
    if (is_value && symbol.signature.size() > kMaxValueBytes &&
        symbol.signature.find_first_of("={") != std::string_view::npos) {
      return;
    }
    if (!can_use(language_, symbol.language)) return;
    const FileFacts& facts = facts_of(symbol.path);
    // The index may know an older state of the current file.
    if (facts.is_own && (symbol.range.end > request_.window_begin ||
                         symbol.name_range.of(request_.before) != symbol.name)) {
      return;
    }
    Signs signs{};
    signs[kBias] = 1;
    if (n_known_files > 0) look_up(symbol, signs);
    const std::size_t n_files = std::max<std::size_t>(n_known_files, 1);
    signs[kAffinity] = facts.affinity;
    signs[kTwin] = facts.is_twin ? 1 : 0;
    signs[kTogether] = facts.together;
    signs[kImported] = facts.is_imported ? 1 : 0;
    signs[kSameFolder] = facts.is_near ? 1 : 0;
    if (!symbol.container.empty()) {
      const std::size_t scope = symbol.container.find_last_of(":.\\");
      const std::string_view owner =
          symbol.container.substr(scope == std::string_view::npos ? 0 : scope + 1);
      if (const auto near = near_.find(owner); near != near_.end())
        signs[kOfNearType] = std::sqrt(near->second->weight);
      else if (in_file_.contains(owner))
        signs[kOfKnownType] = 1;
    }
    float n_words = 0;
    float shared = 0;
    for_each_word(symbol.name, [&](std::uint64_t word) {
      ++n_words;
      if (const auto known = words_.find(word); known != words_.end()) shared += known->second;
    });
    if (n_words > 0) signs[kWords] = shared / n_words;
    switch (symbol.kind) {
      case SymbolKind::kFunction:
      case SymbolKind::kMethod:
        signs[kFunction] = 1;
        break;
      case SymbolKind::kField:
      case SymbolKind::kVariable:
        signs[kField] = 1;
        break;
      case SymbolKind::kEnumerator:
      case SymbolKind::kConstant:
        signs[kConstant] = 1;
        break;
      case SymbolKind::kMacro:
        signs[kMacro] = 1;
        break;
      default:
        signs[kType] = is_type(symbol.kind) ? 1 : 0;
    }
    signs[kDefiners] = in_steps(std::log(static_cast<float>(n_files)));
    signs[kInFileAndCo] = signs[kInFile] * signs[kCoSum];
    if (facts.shown_places != nullptr) {
      const auto& places = *facts.shown_places;
      const auto next = std::ranges::lower_bound(places, symbol.name_range.begin);
      std::uint32_t distance = UINT32_MAX;
      if (next != places.end()) distance = *next - symbol.name_range.begin;
      if (next != places.begin())
        distance = std::min(distance, symbol.name_range.begin - *(next - 1));
      signs[kNextTo] = 1 / (1 + static_cast<float>(distance) / kBytesNextTo);
      signs[kNextToWords] = signs[kNextTo] * signs[kWords];
    }
    signs[kTest] = symbol.is_test ? 1 : 0;
    signs[kLexical] = symbol.evidence == Evidence::kLexical ? 1 : 0;
    signs[kOwn] = facts.is_own ? 1 : 0;
    signs[kLength] = in_steps(std::log(static_cast<float>(symbol.signature.size()) / 40.0F));
    signs[kCoAndAffine] = signs[kCoSum] * signs[kAffinity];
    if (n_known_files == 0 && !request_.observe && sum_of(signs) + kMostForPopularity < kMinSum) {
      return;
    }
    signs[kPopular] = in_steps(std::log1p(static_cast<float>(n_chunks_with(symbol.name))));
    if (signs[kCoBest] == 0) signs[kPopularRest] = signs[kPopular];
    if (request_.observe) request_.observe(symbol, signs, signs[kShown] > 0);
    const float chance = chance_of(sum_of(signs));
    const bool is_wanted =
        signs[kShown] > 0 && symbol.name.size() >= kMinShownBytes && n_files <= kMaxShownFiles;
    if (is_wanted || chance >= kMinChance) found_.push_back({symbol, chance, is_wanted});
  }

  // What the file and similar code say of a name.
  void look_up(const SymbolView& symbol, Signs& signs) {
    if (const auto near = near_.find(symbol.name); near != near_.end()) {
      signs[kNear] = std::sqrt(near->second->weight);
      signs[kShown] = 1;
      signs[kDistance] = in_steps(std::log(static_cast<float>(near->second->distance + 1)));
      if (near->second->is_called &&
          (symbol.kind == SymbolKind::kFunction || symbol.kind == SymbolKind::kMethod))
        signs[kNearAndFunction] = signs[kNear];
    } else if (const auto in_file = in_file_.find(symbol.name); in_file != in_file_.end()) {
      signs[kInFile] = in_steps(std::log1p(static_cast<float>(in_file->second.n_uses)));
      signs[kFileDistance] = 1 / (1 + static_cast<float>(in_file->second.distance) / kBytesOfSight);
    }
    if (const auto together = together_.find(symbol.name); together != together_.end()) {
      signs[kCoSum] = std::sqrt(together->second.sum);
      signs[kCoBest] = together->second.best;
    }
  }

  std::vector<SignatureCandidate> finish() {
    std::vector<const Found*> order;
    order.reserve(found_.size());
    for (const Found& found : found_)
      order.push_back(&found);
    std::ranges::stable_sort(order, [](const Found* a, const Found* b) {
      if (a->chance != b->chance) return a->chance > b->chance;
      return std::tuple(a->symbol.path, a->symbol.name_range.begin, a->symbol.name) <
             std::tuple(b->symbol.path, b->symbol.name_range.begin, b->symbol.name);
    });
    std::vector<SignatureCandidate> candidates;
    TextSet<std::string> seen;
    TextSet<std::string_view> shown;  // names that have their first candidate
    std::size_t n_others = 0;
    for (const Found* each : order) {
      const Found& found = *each;
      const bool is_shown = found.is_shown && !shown.contains(found.symbol.name);
      if (!is_shown && found.chance < kMinChance) continue;
      if (!is_shown && n_others == request_.limit) continue;
      if (!seen.insert(identity_of(found.symbol)).second) continue;
      if (is_shown)
        shown.insert(found.symbol.name);
      else
        ++n_others;
      candidates.push_back(
          {.symbol = found.symbol.symbol(), .chance = found.chance, .is_shown = is_shown});
    }
    return candidates;
  }

  struct InFile {
    std::uint32_t n_uses = 0;
    std::size_t distance = SIZE_MAX;  // bytes
  };
  struct Together {
    float sum = 0;
    float best = 0;
    const SimilarCandidate* last = nullptr;
  };

  const Snapshot& index_;
  const std::vector<NearName>& names_;
  const SignatureRequest& request_;
  const std::vector<Import> imports_;
  std::string language_;
  TextMap<const NearName*> near_;
  boost::unordered_flat_map<std::uint64_t, float> words_;
  TextMap<InFile> in_file_;
  TextMap<std::vector<std::uint32_t>> shown_places_;  // by path
  TextMap<Together> together_;
  TextMap<float> affinity_;  // by path
  TextMap<float> changed_;   // files, by how often with this one
  float most_affine_ = 1;
  std::vector<std::string> related_;
  TextMap<FileFacts> facts_;
  std::string_view last_path_;
  const FileFacts* last_facts_ = nullptr;  // until the next is put in
  std::vector<SymbolView> views_;
  TextMap<Definitions> definitions_;
  TextMap<std::size_t> n_chunks_;
  TextSet<std::string_view> added_;
  std::vector<Found> found_;
};

}  // namespace

std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::vector<NearName>& names,
                                                     const SignatureRequest& request) {
  return Ranker(index, names, request).run();
}

}  // namespace kinglet::indexer
