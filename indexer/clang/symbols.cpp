#include "indexer/clang/symbols.h"

#include <algorithm>

namespace kinglet::indexer::clang {

namespace {

constexpr int kMaxNesting = 64;  // of owners; broken code may go in circles

SymbolKind kind_of(int kind) {
  switch (kind) {
    case kStructDecl:
      return SymbolKind::kStruct;
    case kUnionDecl:
      return SymbolKind::kUnion;
    case kClassDecl:
    case kClassTemplate:
    case kClassTemplatePartialSpecialization:
      return SymbolKind::kClass;
    case kEnumDecl:
      return SymbolKind::kEnum;
    case kEnumConstantDecl:
      return SymbolKind::kEnumerator;
    case kFieldDecl:
      return SymbolKind::kField;
    case kCxxMethod:
    case kConstructor:
    case kDestructor:
    case kConversionFunction:
      return SymbolKind::kMethod;
    case kFunctionDecl:
    case kFunctionTemplate:
      return SymbolKind::kFunction;
    case kNamespace:
    case kNamespaceAlias:
      return SymbolKind::kNamespace;
    case kTypedefDecl:
    case kTypeAliasDecl:
    case kTypeAliasTemplateDecl:
    case kTemplateTypeParameter:
    case kTemplateTemplateParameter:
    case kConceptDecl:
      return SymbolKind::kType;
    case kMacroDefinition:
      return SymbolKind::kMacro;
    default:
      return SymbolKind::kVariable;
  }
}

bool is_function(int kind) {
  return kind == kFunctionDecl || kind == kFunctionTemplate || kind == kCxxMethod ||
         kind == kConstructor || kind == kDestructor || kind == kConversionFunction;
}

bool is_local(int kind, const CXCursor& owner) {
  return kind == kParmDecl || kind == kTemplateTypeParameter || kind == kNonTypeTemplateParameter ||
         kind == kTemplateTemplateParameter || is_function(owner.kind);
}

}  // namespace

Place place_of(const Library& library, CXSourceLocation location) {
  Place place;
  library->clang_getFileLocation(location, &place.file, &place.line, &place.column, &place.offset);
  if (place.line > 0) --place.line;
  if (place.column > 0) --place.column;
  return place;
}

Place place_of(const Library& library, CXCursor cursor) {
  return place_of(library, library->clang_getCursorLocation(cursor));
}

bool is_declaration(int kind) {
  return (kind >= 1 && kind <= kLastDecl) || kind == kTypeAliasTemplateDecl || kind == kConceptDecl;
}

bool is_invalid(const CXCursor& cursor) {
  return cursor.kind >= kFirstInvalid && cursor.kind <= kLastInvalid;
}

CXCursor pattern_of(const TranslationUnit& unit, CXCursor declaration) {
  const Library& library = unit.library();
  for (int i = 0; i < kMaxNesting; ++i) {
    const CXCursor pattern = library->clang_getSpecializedCursorTemplate(declaration);
    if (is_invalid(pattern) || library->clang_equalCursors(pattern, declaration) != 0) break;
    declaration = pattern;
  }
  // libclang knows no pattern for fields and enumerators of an instance. They stand where the
  // template's stand, so what is written there is the pattern.
  CXCursor owner = library->clang_getCursorSemanticParent(declaration);
  bool is_of_instance = false;
  for (int i = 0; i < kMaxNesting && !is_of_instance && is_declaration(owner.kind); ++i) {
    is_of_instance =
        !is_function(owner.kind) && !is_invalid(library->clang_getSpecializedCursorTemplate(owner));
    owner = library->clang_getCursorSemanticParent(owner);
  }
  if (!is_of_instance) return declaration;
  const CXCursor written =
      library->clang_getCursor(unit.get(), library->clang_getCursorLocation(declaration));
  const bool is_same = written.kind == declaration.kind &&
                       library.take(library->clang_getCursorSpelling(written)) ==
                           library.take(library->clang_getCursorSpelling(declaration));
  return is_same ? written : declaration;
}

std::string name_of(const Library& library, CXCursor declaration) {
  std::string name = library.take(library->clang_getCursorSpelling(declaration));
  // Anonymous things are described since release 16: "(anonymous struct at a.c:3:1)".
  if (name.find('(') != std::string::npos && !name.starts_with("operator")) return {};
  const bool is_structor = declaration.kind == kConstructor || declaration.kind == kDestructor ||
                           declaration.kind == kFunctionTemplate;
  if (is_structor && !name.starts_with("operator"))
    name.resize(std::min(name.find('<'), name.size()));
  return name;
}

std::optional<std::uint32_t> Symbols::find(CXCursor declaration) {
  if (is_invalid(declaration)) return std::nullopt;
  const auto [known, is_new] = by_cursor_.try_emplace(declaration.data[0]);
  if (!is_new) return known->second;
  const auto idx = add(declaration);
  by_cursor_[declaration.data[0]] = idx;
  return idx;
}

std::optional<std::uint32_t> Symbols::add(CXCursor declaration) {
  const CXCursor pattern =
      is_declaration(declaration.kind) ? pattern_of(unit_, declaration) : declaration;
  const std::string usr = library_.take(library_->clang_getCursorUSR(pattern));
  std::string name = name_of(library_, pattern);
  if (usr.empty() || name.empty() || name.size() > 0xFFFF) return std::nullopt;
  const SymbolKey key = key_of(usr);
  const auto idx = static_cast<std::uint32_t>(entries_.size());
  const auto [known, is_new] = by_key_.try_emplace(static_cast<std::uint64_t>(key), idx);
  if (!is_new) return known->second;
  Entry& entry = entries_.emplace_back();
  entry.symbol.key = key;
  entry.symbol.name = std::move(name);
  entry.symbol.kind = kind_of(pattern.kind);
  entry.place = place_of(library_, pattern);
  describe(pattern, entry.symbol);
  return idx;
}

SymbolKey Symbols::key_of_pattern(CXCursor declaration) const {
  const std::string usr =
      library_.take(library_->clang_getCursorUSR(pattern_of(unit_, declaration)));
  return usr.empty() ? SymbolKey{} : key_of(usr);
}

void Symbols::describe(CXCursor pattern, SemanticSymbol& symbol) const {
  if (is_declaration(pattern.kind)) {
    const CXCursor owner = library_->clang_getCursorSemanticParent(pattern);
    symbol.is_local = is_local(pattern.kind, owner);
    if (is_declaration(owner.kind)) symbol.owner = key_of_pattern(owner);
    if (pattern.kind == kCxxMethod || pattern.kind == kDestructor) {
      CXCursor* overridden = nullptr;
      unsigned n = 0;
      library_->clang_getOverriddenCursors(pattern, &overridden, &n);
      for (unsigned i = 0; i < n; ++i)
        symbol.overrides.push_back(key_of_pattern(overridden[i]));
      if (overridden != nullptr) library_->clang_disposeOverriddenCursors(overridden);
      std::ranges::sort(symbol.overrides);
      auto& overrides = symbol.overrides;
      overrides.erase(std::unique(overrides.begin(), overrides.end()), overrides.end());
    }
  }
  const Place place = place_of(library_, pattern);
  const std::string path = unit_.path_of(place.file);
  if (path.empty() || TranslationUnit::is_inside(path)) return;
  symbol.outside = OutsidePlace{path, place.line, place.column};
}

}  // namespace kinglet::indexer::clang
