#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "indexer/context/candidates.h"
#include "indexer/language.h"

namespace kinglet::indexer {
namespace {

// A name that so many files define says nothing about which one is meant.
constexpr std::size_t kMaxDefiningFiles = 12;
constexpr std::size_t kMaxPerName = 4;
constexpr std::size_t kMaxMembersPerType = 24;
constexpr float kMemberFactor = 0.2F;

bool is_type(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kUnion ||
         kind == SymbolKind::kInterface;
}

float kind_weight(SymbolKind kind, bool is_called) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
      return is_called ? 1.3F : 0.7F;
    case SymbolKind::kMacro:
      return 1.0F;
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kUnion:
    case SymbolKind::kEnum:
    case SymbolKind::kType:
    case SymbolKind::kInterface:
      return 1.2F;
    case SymbolKind::kEnumerator:
    case SymbolKind::kConstant:
      return 0.6F;
    case SymbolKind::kVariable:
    case SymbolKind::kField:
      return is_called ? 0.1F : 0.5F;
    case SymbolKind::kNamespace:
    case SymbolKind::kModule:
    case SymbolKind::kKey:
    case SymbolKind::kHeading:
    case SymbolKind::kSelector:
    case SymbolKind::kTable:
      return 0;
  }
  return 0;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
}

std::string_view stem_of(std::string_view path) {
  const std::string_view file = path.substr(folder_of(path).size());
  return file.substr(0, file.find('.'));
}

// How near another file is: its other half (header and source), imported, the same folder, …
float path_weight(std::string_view from, std::string_view to, const std::vector<Import>& imports) {
  if (stem_of(from) == stem_of(to)) return 1.6F;
  for (const Import& import : imports) {
    // "db/table.h" names a path's end; "os.path" names it with dots.
    std::string target = import.target;
    if (target.find('/') == std::string::npos && target.find(".h") == std::string::npos) {
      std::replace(target.begin(), target.end(), '.', '/');
    }
    const std::string_view stem = to.substr(0, to.rfind('.'));
    if (!target.empty() && (to.ends_with(target) || stem.ends_with(target))) return 1.5F;
  }
  return folder_of(from) == folder_of(to) ? 1.2F : 1.0F;
}

// The same thing declared and defined: one of them is enough.
std::string identity_of(const Definition& definition) {
  const std::size_t parenthesis = definition.signature.find('(');
  std::string key = definition.name + '\0';
  if (parenthesis == std::string::npos) return key + definition.container + definition.signature;
  // The nearest scope: a definition outside of its namespace does not say all of them.
  const std::size_t scope = definition.container.find_last_of(":.");
  key += definition.container.substr(scope == std::string::npos ? 0 : scope + 1);
  // Parameters up to the closing bracket, without what a declaration alone says of them.
  for (const char c : definition.signature.substr(parenthesis)) {
    if (c == '=') break;
    if (c != ' ') key += c;
    if (c == ')') break;
  }
  return key;
}

// Whether code of one language commonly names what another defines.
bool can_use(std::string_view language, std::string_view other) {
  const auto is_c = [](std::string_view name) { return name == "c" || name == "cpp"; };
  return language == other || (is_c(language) && is_c(other));
}

std::string qualified(const Definition& definition, std::string_view separator) {
  if (definition.container.empty()) return definition.name;
  return definition.container + std::string(separator) + definition.name;
}

}  // namespace

std::vector<SignatureCandidate> signature_candidates(const Snapshot& index,
                                                     const std::string& path,
                                                     std::string_view far_above,
                                                     const std::vector<NearName>& names) {
  const std::vector<Import> imports = index.imports_of(path);
  const auto own = index.file(path);
  std::vector<SignatureCandidate> candidates;
  std::set<std::string> seen;
  for (const NearName& name : names) {
    const std::size_t n_files = index.n_defining_files(name.name);
    if (n_files == 0 || n_files > kMaxDefiningFiles) continue;
    std::vector<SignatureCandidate> of_name;
    for (Symbol& symbol : index.definitions(name.name)) {
      const Definition& definition = symbol.definition;
      if (definition.is_test || definition.signature.empty()) continue;
      // The index may know an older state of the current file.
      const bool is_own = symbol.path == path;
      if (is_own && (definition.range.end > far_above.size() ||
                     definition.name_range.of(far_above) != definition.name)) {
        continue;
      }
      float score = name.weight * kind_weight(definition.kind, name.is_called) *
                    path_weight(path, symbol.path, imports) /
                    (1 + 0.25F * static_cast<float>(n_files - 1));
      if (own && !can_use(own->language, symbol.language)) {
        score *= 0.3F;
      }
      // A declaration in a header is documented, short and has no body to be near.
      if (!definition.has_body) score *= 1.05F;
      if (definition.evidence == Evidence::kLexical) score *= 0.8F;
      if (score <= 0) continue;
      of_name.push_back({std::move(symbol), name.name, score});
    }
    std::stable_sort(of_name.begin(), of_name.end(), [](const auto& a, const auto& b) {
      return a.score > b.score;
    });
    std::size_t n_taken = 0;
    for (SignatureCandidate& candidate : of_name) {
      if (n_taken == kMaxPerName) break;
      if (!seen.insert(identity_of(candidate.symbol.definition)).second) continue;
      ++n_taken;
      candidates.push_back(std::move(candidate));
    }
  }

  // What can be done with a type is in its members.
  const std::size_t n_named = candidates.size();
  for (std::size_t i = 0; i < n_named; ++i) {
    const SignatureCandidate type = candidates[i];
    if (!is_type(type.symbol.definition.kind) || !type.symbol.definition.has_body) continue;
    const Language* language = find_language(type.symbol.language);
    if (language == nullptr) continue;
    const std::string container = qualified(type.symbol.definition, language->scope_separator);
    std::size_t n_members = 0;
    for (Symbol& member : index.definitions_in(type.symbol.path)) {
      if (n_members == kMaxMembersPerType) break;
      const Definition& definition = member.definition;
      const ByteRange whole = type.symbol.definition.range;
      if (definition.container != container || definition.range.begin < whole.begin ||
          definition.range.end > whole.end || definition.signature.empty() ||
          !seen.insert(container + '\0' + identity_of(definition)).second) {
        continue;
      }
      if (member.path == path && definition.range.end > far_above.size()) continue;
      ++n_members;
      const float score = kMemberFactor * type.score * kind_weight(definition.kind, true);
      candidates.push_back({std::move(member), type.near_name, score});
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.symbol.path, a.symbol.definition.name_range.begin) <
           std::tie(b.symbol.path, b.symbol.definition.name_range.begin);
  });
  return candidates;
}

}  // namespace kinglet::indexer
