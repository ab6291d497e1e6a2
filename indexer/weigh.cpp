#include "indexer/weigh.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "indexer/identifiers.h"
#include "indexer/language.h"
#include "indexer/locals.h"

namespace kinglet::indexer {
namespace {

// More definitions of one name are not weighed against each other: `main`, `test`.
constexpr std::size_t kMaxCandidates = 512;
constexpr std::size_t kMaxReached = 20'000;
constexpr std::size_t kMaxBases = 16;

// How much a sign adds, and how sure it is by itself.
struct Sign {
  Reason reason;
  std::string_view name;
  float weight;
  float level;
};
constexpr Sign kSigns[] = {
    {Reason::kItself, "the definition itself", 10, 1},
    {Reason::kCounterpart, "declares or defines the same", 0, 0.97F},
    {Reason::kQualifier, "named by its container", 3.5F, 0.96F},
    {Reason::kReceiver, "member of the object's type", 3, 0.94F},
    {Reason::kScope, "same scope", 2.5F, 0.95F},
    {Reason::kBase, "inherited", 2, 0.9F},
    {Reason::kSameFile, "same file", 2, 0.88F},
    {Reason::kImported, "imported", 2, 0.92F},
    {Reason::kIncluded, "imported indirectly", 1.5F, 0.88F},
    {Reason::kPackage, "same package", 2, 0.9F},
    {Reason::kSameFolder, "same folder", 0.7F, 0.6F},
    {Reason::kOnly, "only definition of the name", 0.5F, 0.7F},
    {Reason::kCallShape, "takes these arguments", 0.7F, 0},
    {Reason::kOtherLanguage, "another language", -3, 0.15F},
    {Reason::kCompiler, "the compiler says so", 10, 1},
};
constexpr float kNoSignLevel = 0.35F;

const Sign& sign_of(Reason reason) {
  return *std::ranges::find(kSigns, reason, &Sign::reason);
}

enum class KindClass : std::uint8_t { kCallable, kType, kValue, kSpace };
KindClass class_of(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kMacro:
      return KindClass::kCallable;
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kUnion:
    case SymbolKind::kEnum:
    case SymbolKind::kType:
    case SymbolKind::kInterface:
      return KindClass::kType;
    case SymbolKind::kNamespace:
    case SymbolKind::kModule:
      return KindClass::kSpace;
    default:
      return KindClass::kValue;
  }
}

bool is_function(SymbolKind kind) {
  return kind == SymbolKind::kFunction || kind == SymbolKind::kMethod;
}

std::string_view separator_of(std::string_view language) {
  const Language* row = find_language(language);
  return row == nullptr || row->scope_separator.empty() ? "." : row->scope_separator;
}

std::string_view last_part(std::string_view qualified) {
  const std::size_t at = qualified.find_last_of(":.\\/#");
  return at == std::string_view::npos ? qualified : qualified.substr(at + 1);
}

std::string qualified(std::string_view container,
                      std::string_view name,
                      std::string_view separator) {
  if (container.empty()) return std::string(name);
  return std::string(container).append(separator).append(name);
}

// Headers are where files share declarations; what a source file declares `static` is its own.
bool is_header(std::string_view path) {
  static constexpr std::string_view kEnds[] = {
      ".h", ".hh", ".hpp", ".hxx", ".h++", ".H", ".inl", ".ipp", ".tpp", ".inc", ".def"};
  return std::ranges::any_of(kEnds, [&](std::string_view end) { return path.ends_with(end); });
}

bool imports(const LinkedIndex& index, const std::string& from, const std::string& to) {
  // A header and the source of its name, wherever each lies.
  if (stem_of(from) == stem_of(to) && is_header(from) != is_header(to)) return true;
  if (!index.graph) return false;
  const auto a = index.graph->paths().find(from);
  const auto b = index.graph->paths().find(to);
  if (!a || !b) return false;
  return std::ranges::any_of(index.graph->imports(*a),
                             [&](const ImportedFile& edge) { return edge.file == *b; });
}

bool same_shape(const Candidates::One& a, const Candidates::One& b) {
  if (!a.parameters || !b.parameters) return true;
  return a.parameters->most == b.parameters->most;
}

void add(Scales::Weighed& one, Reason reason, float part = 1) {
  const Sign& sign = sign_of(reason);
  one.weight += sign.weight * part;
  one.level = std::max(one.level, sign.level * part);
  one.reasons.push_back(reason);
}

void against(Scales::Weighed& one, float& doubt, float weight, float factor) {
  one.weight -= weight;
  doubt *= factor;
}

}  // namespace

std::string_view name_of(Reason reason) {
  return sign_of(reason).name;
}

float level_of(Reason reason) {
  return sign_of(reason).level;
}

// --- the file and the place

FileContext::FileContext(const LinkedIndex& all, std::string_view path, std::string_view text)
    : all_(all), path_(path), text_(text), definitions_(all.snapshot.definitions_in(path)) {
  if (const auto file = all.snapshot.file(path)) language_ = file->language;
  family_ = family_of(language_);
  if (all_.graph) id_ = all_.graph->paths().find(path);
}

std::optional<Reach> FileContext::reach_of(std::string_view path) {
  if (!id_) return std::nullopt;
  if (!reached_) {
    reached_ = reach(*all_.graph, *id_, family_ == Family::kC ? 16 : 3, kMaxReached);
  }
  const auto other = all_.graph->paths().find(path);
  if (!other) return std::nullopt;
  const auto at =
      std::ranges::lower_bound(*reached_, *other, {}, &std::pair<std::uint32_t, Reach>::first);
  if (at == reached_->end() || at->first != *other) return std::nullopt;
  return at->second;
}

const std::vector<std::string>& FileContext::bases_of(const std::string& type) {
  const auto [entry, is_new] = bases_.try_emplace(type);
  if (!is_new) return entry->second;
  std::vector<std::string> bases;
  std::set<std::string> seen = {type};
  std::vector<std::string> open = {type};
  while (!open.empty() && bases.size() < kMaxBases) {
    const std::string name = std::move(open.back());
    open.pop_back();
    for (const Symbol& symbol : all_.snapshot.definitions(name)) {
      if (class_of(symbol.definition.kind) != KindClass::kType) continue;
      const std::string_view head = symbol.definition.signature;
      const std::size_t at = head.find(name);
      if (at == std::string_view::npos) continue;
      for_each_identifier(head.substr(at + name.size()), [&](std::size_t, std::string_view word) {
        if (bases.size() >= kMaxBases || !seen.emplace(word).second) return;
        if (all_.snapshot.n_defining_files(word) == 0) return;
        bases.emplace_back(word);
        open.emplace_back(word);
      });
    }
  }
  return bases_[type] = std::move(bases);
}

Place place_of(const FileContext& file, std::uint32_t offset) {
  std::vector<const Definition*> around;
  for (const Symbol& symbol : file.definitions()) {
    const Definition& definition = symbol.definition;
    if (definition.range.contains(offset)) around.push_back(&definition);
  }
  std::ranges::stable_sort(around, [](const Definition* a, const Definition* b) {
    return a->range.size() < b->range.size();
  });
  const std::string_view separator = separator_of(file.language());
  Place place;
  const auto add = [&](std::string scope) {
    if (std::ranges::find(place.scopes, scope) == place.scopes.end()) {
      place.scopes.push_back(std::move(scope));
    }
  };
  for (const Definition* definition : around) {
    place.is_test |= definition->is_test;
    if (is_function(definition->kind)) place.functions.push_back(definition->range);
    add(qualified(definition->container, definition->name, separator));
    if (place.type.empty()) {
      if (class_of(definition->kind) == KindClass::kType) place.type = definition->name;
      if (is_function(definition->kind)) place.type = last_part(definition->container);
    }
  }
  for (const Definition* definition : around) {
    for (std::string scope = definition->container; !scope.empty();) {
      const std::size_t at = scope.rfind(separator);
      add(scope);
      scope.resize(at == std::string::npos ? 0 : at);
    }
  }
  return place;
}

// --- the definitions

Candidates::Candidates(const LinkedIndex& index, const std::string& name) {
  for (Symbol& symbol : index.snapshot.definitions(name)) {
    if (all_.size() == kMaxCandidates) break;
    One one;
    one.family = family_of(symbol.language);
    const Definition& definition = symbol.definition;
    one.container_end = last_part(definition.container);
    if (class_of(definition.kind) == KindClass::kCallable) {
      one.parameters = count_parameters(definition.signature, name, one.family);
    }
    one.is_own = one.family == Family::kC && definition.container.empty() &&
                 !is_header(symbol.path) && definition.signature.starts_with("static ");
    one.symbol = std::move(symbol);
    all_.push_back(std::move(one));
  }
  join(index);
}

bool Candidates::is_one_thing(const LinkedIndex& index, const One& a, const One& b) const {
  const Definition& x = a.symbol.definition;
  const Definition& y = b.symbol.definition;
  if (a.family != b.family ||
      (a.family == Family::kOther && a.symbol.language != b.symbol.language)) {
    return false;
  }
  const bool is_same_file = a.symbol.path == b.symbol.path;
  // A constructor belongs to its class.
  const auto constructs = [](const Definition& maker, const Definition& type) {
    return is_function(maker.kind) && class_of(type.kind) == KindClass::kType &&
           last_part(maker.container) == type.name;
  };
  if (constructs(x, y) || constructs(y, x)) return true;
  if (x.container != y.container || class_of(x.kind) != class_of(y.kind)) return false;
  switch (class_of(x.kind)) {
    case KindClass::kSpace:
      return true;
    case KindClass::kType:
      return is_same_file ||
             (a.family == Family::kC &&
              (x.has_body != y.has_body || imports(index, a.symbol.path, b.symbol.path) ||
               imports(index, b.symbol.path, a.symbol.path)));
    case KindClass::kValue:
      if (is_same_file) return x.kind != SymbolKind::kField || !x.container.empty();
      break;
    case KindClass::kCallable:
      if (!same_shape(a, b)) return false;
      if (is_same_file) return true;
      break;
  }
  if (a.family != Family::kC || a.is_own || b.is_own) return false;
  // Of two files one declares for the other. A body's file includes the declaration's, as a rule;
  // where it does not, what is only declared elsewhere is not two things.
  if (class_of(x.kind) == KindClass::kCallable && x.has_body && y.has_body) return false;
  if (!x.container.empty()) return true;
  if (x.has_body != y.has_body) {
    const One& body = x.has_body ? a : b;
    const One& head = x.has_body ? b : a;
    if (imports(index, body.symbol.path, head.symbol.path)) return true;
    return n_bodies_ <= 1;
  }
  return is_header(a.symbol.path) || is_header(b.symbol.path);
}

void Candidates::join(const LinkedIndex& index) {
  n_bodies_ = static_cast<std::size_t>(
      std::ranges::count_if(all_, [](const One& one) { return one.symbol.definition.has_body; }));
  std::vector<std::uint32_t> parent(all_.size());
  for (std::uint32_t i = 0; i < parent.size(); ++i)
    parent[i] = i;
  const auto find = [&](std::uint32_t i) {
    while (parent[i] != i)
      i = parent[i] = parent[parent[i]];
    return i;
  };
  for (std::uint32_t i = 0; i < all_.size(); ++i) {
    for (std::uint32_t j = 0; j < i; ++j) {
      if (find(i) != find(j) && is_one_thing(index, all_[i], all_[j])) parent[find(i)] = find(j);
    }
  }
  for (std::uint32_t i = 0; i < all_.size(); ++i)
    all_[i].entity = find(i);
  // Methods defined outside of their class do not say that it is one.
  std::set<std::uint32_t> members;
  for (const One& one : all_) {
    const SymbolKind kind = one.symbol.definition.kind;
    if (kind == SymbolKind::kMethod || kind == SymbolKind::kField) members.insert(one.entity);
  }
  for (One& one : all_)
    one.is_member = members.contains(one.entity);
}

// --- weighing

std::vector<Scales::Weighed> Scales::weigh(const Use& use, const Place& place) {
  use_ = &use;
  place_ = &place;
  receiver_ = receiver_type();
  std::vector<Weighed> all;
  std::map<std::uint32_t, std::pair<float, float>> entities;  // weight, level
  for (std::size_t i = 0; i < candidates_.all().size(); ++i) {
    Weighed& one = all.emplace_back();
    one.candidate = i;
    weigh_one(candidates_.all()[i], one);
    auto [entry, is_new] = entities.try_emplace(candidates_.all()[i].entity, one.weight, one.level);
    if (is_new) continue;
    entry->second.first = std::max(entry->second.first, one.weight);
    entry->second.second = std::max(entry->second.second, one.level);
  }
  if (entities.size() == 1) {
    auto& [weight, level] = entities.begin()->second;
    // Alone, what speaks against it still does.
    const Sign& only = sign_of(Reason::kOnly);
    if (level >= kNoSignLevel) level = std::max(level, only.level);
    for (Weighed& one : all) {
      if (one.level >= kNoSignLevel) one.reasons.push_back(Reason::kOnly);
    }
  }
  double sum = 0;
  for (const auto& [entity, values] : entities)
    sum += std::exp(static_cast<double>(values.first));
  for (Weighed& one : all) {
    const auto& [weight, level] = entities[candidates_.all()[one.candidate].entity];
    one.confidence =
        static_cast<float>(level * std::exp(static_cast<double>(weight)) / std::max(sum, 1e-30));
  }
  return all;
}

std::string Scales::receiver_type() const {
  if (use_->access != Access::kMember || use_->qualifier.empty()) return {};
  static constexpr std::string_view kSelf[] = {"this", "self", "cls", "super", "Self", "base"};
  if (std::ranges::find(kSelf, use_->qualifier) != std::end(kSelf)) return place_->type;
  return std::string(type_of(file_.text(), use_->range.begin, use_->qualifier, file_.family()));
}

void Scales::weigh_one(const Candidates::One& candidate, Weighed& one) {
  const Definition& definition = candidate.symbol.definition;
  one.level = kNoSignLevel;
  float doubt = 1;
  const bool is_other =
      candidate.family != file_.family() ||
      (candidate.family == Family::kOther && candidate.symbol.language != file_.language());
  weigh_access(candidate, one, doubt);
  weigh_place(candidate, one);
  if (is_other) {
    one.weight += sign_of(Reason::kOtherLanguage).weight;
    doubt *= 0.25F;
    one.reasons.push_back(Reason::kOtherLanguage);
  }
  if (use_->n_arguments && candidate.parameters) {
    const int n = *use_->n_arguments;
    if (n >= candidate.parameters->least && n <= candidate.parameters->most) {
      add(one, Reason::kCallShape);
    } else {
      against(one, doubt, 1.5F, 0.6F);
    }
  }
  if (use_->is_called && class_of(definition.kind) == KindClass::kSpace)
    against(one, doubt, 3, 0.3F);
  if (candidate.is_own && candidate.symbol.path != file_.path() &&
      !file_.reach_of(candidate.symbol.path)) {
    against(one, doubt, 4, 0.1F);
  }
  if (definition.is_test && !place_->is_test) against(one, doubt, 1, 1);
  if (definition.evidence == Evidence::kLexical) against(one, doubt, 0.5F, 0.95F);
  one.level *= doubt;
  std::ranges::stable_sort(
      one.reasons, std::greater(), [](Reason reason) { return sign_of(reason).weight; });
}

// The word before the dot, or that there is none.
void Scales::weigh_access(const Candidates::One& candidate, Weighed& one, float& doubt) {
  const Definition& definition = candidate.symbol.definition;
  const std::string& end = candidate.container_end;
  const bool is_member = !definition.container.empty() &&
                         (definition.kind == SymbolKind::kField ||
                          definition.kind == SymbolKind::kMethod || candidate.is_member);
  // `module.name`: the file or the folder bears the module's name.
  const auto is_module = [&] {
    const std::string& path = candidate.symbol.path;
    return definition.container.empty() &&
           (stem_of(path) == use_->qualifier || last_of(folder_of(path)) == use_->qualifier);
  };
  switch (use_->access) {
    case Access::kPlain: {
      if (is_member && !is_around(candidate) && file_.family() != Family::kRust) {
        against(one, doubt, 2.5F, 0.4F);
      }
      break;
    }
    case Access::kScope:
      if (use_->qualifier.empty()) {
        if (!definition.container.empty()) against(one, doubt, 1, 0.7F);
      } else if (end == use_->qualifier || is_module()) {
        add(one, Reason::kQualifier);
      } else if (inherits(use_->qualifier, end)) {
        add(one, Reason::kQualifier, 0.9F);
      } else if (use_->qualifier == "std") {
        against(one, doubt, 5, 0.05F);
      } else if (end.empty()) {
        against(one, doubt, 2.5F, 0.35F);
      } else {
        against(one, doubt, 2, 0.5F);
      }
      break;
    case Access::kMember:
      if (!receiver_.empty() && end == receiver_) {
        add(one, Reason::kReceiver);
      } else if (!receiver_.empty() && inherits(receiver_, end)) {
        add(one, Reason::kReceiver, 0.9F);
      } else if (!use_->qualifier.empty() && (end == use_->qualifier || is_module())) {
        add(one, Reason::kQualifier);
      } else if (definition.container.empty() && file_.family() == Family::kC) {
        if (definition.kind != SymbolKind::kMacro) against(one, doubt, 3, 0.2F);
      } else if (definition.container.empty()) {
        against(one, doubt, 1, 0.6F);
      } else if (!receiver_.empty()) {
        against(one, doubt, 1.5F, 0.6F);
      }
      break;
  }
}

void Scales::weigh_place(const Candidates::One& candidate, Weighed& one) {
  const std::string& path = candidate.symbol.path;
  const std::string& container = candidate.symbol.definition.container;
  const bool is_free = use_->access == Access::kPlain;
  if (is_free && !container.empty()) {
    const auto at = std::ranges::find(place_->scopes, container);
    if (at != place_->scopes.end()) {
      const auto n_out = static_cast<float>(at - place_->scopes.begin());
      add(one, Reason::kScope, std::max(0.8F, 1 - 0.05F * n_out));
    } else if (!place_->type.empty() && inherits(place_->type, candidate.container_end)) {
      add(one, Reason::kBase);
    }
  }
  if (path == file_.path()) {
    add(one, Reason::kSameFile);
    return;
  }
  if (const auto reached = file_.reach_of(path)) {
    if (reached->n_steps == 1) {
      add(one, Reason::kImported, reached->confidence);
    } else if (reached->n_steps > 1) {
      const float decay = std::max(0.8F, 1 - 0.02F * static_cast<float>(reached->n_steps));
      add(one, Reason::kIncluded, decay * std::max(0.5F, reached->confidence));
    }
  }
  if (folder_of(path) == folder_of(file_.path())) {
    const Family family = file_.family();
    const bool is_package = family == Family::kGo || family == Family::kJvm ||
                            family == Family::kCSharp || family == Family::kSwift;
    add(one, is_package ? Reason::kPackage : Reason::kSameFolder);
  }
  // Neighbors before strangers, where nothing else tells them apart.
  std::size_t n_shared = 0;
  const std::string_view own = file_.path();
  for (std::size_t i = 0; i < std::min(path.size(), own.size()) && path[i] == own[i]; ++i)
    n_shared += path[i] == '/' ? 1 : 0;
  one.weight += 0.1F * static_cast<float>(std::min<std::size_t>(n_shared, 5));
}

bool Scales::is_around(const Candidates::One& candidate) {
  return std::ranges::find(place_->scopes, candidate.symbol.definition.container) !=
             place_->scopes.end() ||
         (!place_->type.empty() && inherits(place_->type, candidate.container_end));
}

bool Scales::inherits(const std::string& type, std::string_view base) {
  if (base.empty() || type.empty()) return false;
  const auto& bases = file_.bases_of(type);
  return std::ranges::find(bases, base) != bases.end();
}

}  // namespace kinglet::indexer
