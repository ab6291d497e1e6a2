#include "indexer/clang/hover.h"

#include <algorithm>
#include <string_view>

#include "indexer/clang/symbols.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer::clang {

namespace {

constexpr std::size_t kMaxSignatureBytes = 500;
constexpr std::size_t kMaxDocBytes = 4000;

std::string_view text_of(const TranslationUnit& unit, CXFile file) {
  std::size_t size = 0;
  const char* text = unit.library()->clang_getFileContents(unit.get(), file, &size);
  return text != nullptr ? std::string_view(text, size) : std::string_view();
}

/// Where the head of a declaration ends: before its body, its initializer list or its end.
std::size_t end_of_head(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth == 0 && (c == '{' || c == ';')) return i;
  }
  return text.size();
}

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, kMaxSignatureBytes)) {
    const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ')
    line.pop_back();
  return line;
}

std::string signature_of(const TranslationUnit& unit, CXCursor declaration) {
  const Library& library = unit.library();
  const CXSourceRange extent = library->clang_getCursorExtent(declaration);
  const Place begin = place_of(library, library->clang_getRangeStart(extent));
  const Place end = place_of(library, library->clang_getRangeEnd(extent));
  const std::string_view text = text_of(unit, begin.file);
  if (begin.file != end.file || begin.offset >= end.offset || end.offset > text.size()) return {};
  std::string_view head = text.substr(begin.offset, end.offset - begin.offset);
  // A macro's body is what one wants to see of it.
  if (declaration.kind == kMacroDefinition) return "#define " + on_one_line(head);
  return on_one_line(head.substr(0, end_of_head(head)));
}

/// The cursor of the name at `offset`, which clang_getCursor finds for its first byte.
CXCursor cursor_at(const TranslationUnit& unit, CXFile file, std::uint32_t offset) {
  const std::string_view text = text_of(unit, file);
  std::size_t begin = std::min<std::size_t>(offset, text.size());
  while (begin > 0 && is_identifier_byte(text[begin - 1]))
    --begin;
  const CXSourceLocation location =
      unit.library()->clang_getLocationForOffset(unit.get(), file, static_cast<unsigned>(begin));
  return unit.library()->clang_getCursor(unit.get(), location);
}

}  // namespace

std::optional<HoverText> hover(const TranslationUnit& unit,
                               const std::string& path,
                               std::uint32_t offset) {
  const Library& library = unit.library();
  CXFile file = library->clang_getFile(unit.get(), (unit.root() + path).c_str());
  if (file == nullptr) return std::nullopt;
  const CXCursor cursor = cursor_at(unit, file, offset);
  CXCursor meant = is_declaration(cursor.kind) || cursor.kind == kMacroDefinition
                       ? cursor
                       : library->clang_getCursorReferenced(cursor);
  if (meant.kind == kOverloadedDeclRef && library->clang_getNumOverloadedDecls(meant) > 0) {
    meant = library->clang_getOverloadedDecl(meant, 0);
  }
  if (!is_declaration(meant.kind) && meant.kind != kMacroDefinition) return std::nullopt;
  Symbols symbols(unit);
  const auto idx = symbols.find(meant);
  if (!idx) return std::nullopt;
  const SemanticSymbol& symbol = symbols.entries()[*idx].symbol;
  CXCursor pattern = meant.kind == kMacroDefinition ? meant : pattern_of(unit, meant);
  const CXCursor definition = library->clang_getCursorDefinition(pattern);
  HoverText text;
  text.name = symbol.name;
  text.key = symbol.key;
  text.kind = symbol.kind;
  text.type = library.take(library->clang_getTypeSpelling(library->clang_getCursorType(meant)));
  text.type.resize(std::min(text.type.size(), kMaxSignatureBytes));
  text.doc = library.take(library->clang_Cursor_getRawCommentText(pattern));
  const CXCursor written = is_invalid(definition) ? pattern : definition;
  if (text.doc.empty()) text.doc = library.take(library->clang_Cursor_getRawCommentText(written));
  text.doc.resize(std::min(text.doc.size(), kMaxDocBytes));
  text.signature = signature_of(unit, pattern);
  const Place place = place_of(library, written);
  text.declared = {unit.path_of(place.file), place.line, place.column, place.offset};
  return text;
}

}  // namespace kinglet::indexer::clang
