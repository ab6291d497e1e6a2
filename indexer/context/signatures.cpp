// Which definitions are worth their signature.
//
// Most names that a line will use stand near it already. Those that do not are the hard half: they
// are found by what similar code uses, by what the file uses elsewhere, by the files whose
// definitions it uses, by the members of types that are named, by words that names share, by what
// stands beside the definitions of names that are shown. Each is a weak sign; together they give a
// chance (signs.h).
#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <utility>

#include "indexer/context/candidates.h"
#include "indexer/context/clues.h"
#include "indexer/context/in_parallel.h"
#include "indexer/context/signs.h"

namespace kinglet::indexer {
namespace {

// Of each related file all definitions are candidates, up to a limit.
constexpr std::size_t kMaxDefinitionsOfFile = 400;
// A name that is shown and says much: of these every one gets a signature if there is room.
constexpr std::size_t kMinShownBytes = 5;
constexpr float kBytesOfSight = 20'000;
constexpr std::size_t kMaxValueBytes = 160;
// Below, it is noise; and the sum of signs that gives it.
constexpr float kMinChance = 0.00003F;
constexpr float kMinSum = -10.42F;
// What a name in 1,000 chunks may still add to that sum.
constexpr float kMostForPopularity = 2.7F;
constexpr float kBytesNextTo = 200;
// Candidates are weighed in so many parts at once.
constexpr std::size_t kParts = 8;

bool is_type(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kUnion ||
         kind == SymbolKind::kInterface || kind == SymbolKind::kEnum || kind == SymbolKind::kType;
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

struct Found {
  SymbolView symbol;
  float chance;
  bool is_shown;
};

// Weighs some of the definitions.
class Scorer {
 public:
  Scorer(const Snapshot& index, const Clues& clues, const SignatureRequest& request)
      : index_(index), clues_(clues), request_(request) {}

  void add_name(std::string_view name) {
    const Clues::Definitions known = clues_.definitions_of(name, views_);
    if (known.n_files > kMaxDefiningFiles) return;
    for (const SymbolView& symbol : known.views)
      add(symbol, known.n_files);
  }

  void add_file(const std::string& path) {
    std::size_t n_left = kMaxDefinitionsOfFile;
    index_.for_each_definition_in(path, [&](const SymbolView& symbol) {
      if (n_left == 0) return;
      --n_left;
      if (!clues_.has(symbol.name)) add(symbol, 0);
    });
  }

  std::vector<Found> take() { return std::move(found_); }

 private:
  const Clues::FileFacts& facts_of(std::string_view path) {
    // Candidates of one file come one after the other, and say its path at one place.
    if (path.data() == last_path_.data() && path.size() == last_path_.size()) return *last_facts_;
    const auto [entry, is_new] = facts_.try_emplace(path);
    if (is_new) entry->second = clues_.facts_of(path);
    last_path_ = path;
    last_facts_ = &entry->second;
    return *last_facts_;
  }

  std::size_t n_chunks_with(std::string_view name) {
    const auto [entry, is_new] = n_chunks_.try_emplace(name);
    if (is_new) entry->second = index_.n_chunks_with(name);
    return entry->second;
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
    if (!can_use(clues_.language(), symbol.language)) return;
    const Clues::FileFacts& facts = facts_of(symbol.path);
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
    signs[kRecentFile] = facts.recent;
    if (facts.recent > 0) signs[kRecent] = request_.recency->of(symbol.path, symbol.range);
    signs[kImported] = facts.is_imported ? 1 : 0;
    signs[kSameFolder] = facts.is_near ? 1 : 0;
    if (!symbol.container.empty()) {
      const std::size_t scope = symbol.container.find_last_of(":.\\");
      const std::string_view owner =
          symbol.container.substr(scope == std::string_view::npos ? 0 : scope + 1);
      if (const NearName* const near = clues_.near(owner))
        signs[kOfNearType] = std::sqrt(near->weight);
      else if (clues_.in_file(owner) != nullptr)
        signs[kOfKnownType] = 1;
    }
    float n_words = 0;
    float shared = 0;
    for_each_word_of(symbol.name, [&](std::uint64_t word) {
      ++n_words;
      shared += clues_.weight_of_word(word);
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
    if (const NearName* const near = clues_.near(symbol.name)) {
      signs[kNear] = std::sqrt(near->weight);
      signs[kShown] = 1;
      signs[kDistance] = in_steps(std::log(static_cast<float>(near->distance + 1)));
      if (near->is_called &&
          (symbol.kind == SymbolKind::kFunction || symbol.kind == SymbolKind::kMethod))
        signs[kNearAndFunction] = signs[kNear];
    } else if (const Clues::InFile* const in_file = clues_.in_file(symbol.name)) {
      signs[kInFile] = in_steps(std::log1p(static_cast<float>(in_file->n_uses)));
      signs[kFileDistance] = 1 / (1 + static_cast<float>(in_file->distance) / kBytesOfSight);
    }
    if (const Clues::Together* const together = clues_.together(symbol.name)) {
      signs[kCoSum] = std::sqrt(together->sum);
      signs[kCoBest] = together->best;
    }
  }

  const Snapshot& index_;
  const Clues& clues_;
  const SignatureRequest& request_;
  TextMap<Clues::FileFacts> facts_;
  std::string_view last_path_;
  const Clues::FileFacts* last_facts_ = nullptr;  // until the next is put in
  TextMap<std::size_t> n_chunks_;
  std::vector<SymbolView> views_;
  std::vector<Found> found_;
};

// All that may be wanted. Each part has its own share of the names and of the files, so that what
// is found does not depend on which thread was faster.
std::vector<Found> find_all(const Snapshot& index,
                            const Clues& clues,
                            const SignatureRequest& request) {
  std::vector<std::vector<Found>> found(kParts);
  const auto weigh = [&](std::size_t part) {
    Scorer scorer(index, clues, request);
    for (std::size_t i = part; i < clues.names().size(); i += kParts)
      scorer.add_name(clues.names()[i]);
    for (std::size_t i = part; i < clues.related_files().size(); i += kParts)
      scorer.add_file(clues.related_files()[i]);
    found[part] = scorer.take();
  };
  if (request.observe) {
    for (std::size_t part = 0; part < kParts; ++part)
      weigh(part);
  } else {
    in_parallel(kParts, weigh);
  }
  for (std::size_t part = 1; part < kParts; ++part)
    std::ranges::move(found[part], std::back_inserter(found.front()));
  return std::move(found.front());
}

// The likeliest first, each thing once.
std::vector<SignatureCandidate> in_order(const std::vector<Found>& found, std::size_t limit) {
  std::vector<const Found*> order;
  order.reserve(found.size());
  for (const Found& one : found)
    order.push_back(&one);
  std::ranges::stable_sort(order, [](const Found* a, const Found* b) {
    if (a->chance != b->chance) return a->chance > b->chance;
    return std::tuple(a->symbol.path, a->symbol.name_range.begin, a->symbol.name) <
           std::tuple(b->symbol.path, b->symbol.name_range.begin, b->symbol.name);
  });
  std::vector<SignatureCandidate> candidates;
  TextSet<std::string> seen;
  TextSet<std::string_view> shown;  // names that have their first candidate
  std::size_t n_others = 0;
  for (const Found* one : order) {
    const bool is_shown = one->is_shown && !shown.contains(one->symbol.name);
    if (!is_shown && one->chance < kMinChance) continue;
    if (!is_shown && n_others == limit) continue;
    if (!seen.insert(identity_of(one->symbol)).second) continue;
    if (is_shown)
      shown.insert(one->symbol.name);
    else
      ++n_others;
    candidates.push_back(
        {.symbol = one->symbol.symbol(), .chance = one->chance, .is_shown = is_shown});
  }
  return candidates;
}

}  // namespace

std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::vector<NearName>& names,
                                                     const SignatureRequest& request) {
  const Clues clues(index, names, request);
  return in_order(find_all(index, clues, request), request.limit);
}

}  // namespace kinglet::indexer
