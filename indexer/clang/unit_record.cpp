#include "indexer/clang/unit_record.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "indexer/clang/symbols.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer::clang {

namespace {

constexpr std::uint32_t kOutside = 0xFFFF'FFFF;

/// Where a name ends that begins at `offset`: at least one byte on, if there is one.
std::size_t end_of_word(std::string_view text, std::size_t offset) {
  std::size_t end = offset;
  while (end < text.size() && is_identifier_byte(text[end]))
    ++end;
  return end == offset ? std::min(offset + 1, text.size()) : end;
}

class Recorder {
 public:
  Recorder(const TranslationUnit& unit, const std::string& main_path)
      : unit_(unit), library_(unit.library()), symbols_(unit) {
    record_.main_path = main_path;
  }

  UnitRecord run() {
    library_->clang_getInclusions(
        unit_.get(),
        [](CXFile file, CXSourceLocation* stack, unsigned depth, CXClientData self) {
          static_cast<Recorder*>(self)->include(file, stack, depth);
        },
        this);
    visit_children(library_->clang_getTranslationUnitCursor(unit_.get()), {});
    find_aliases();
    for (File& file : files_)
      finish(file);
    std::ranges::sort(record_.files, {}, &FileSemantics::path);
    std::ranges::sort(record_.includes);
    auto& includes = record_.includes;
    includes.erase(std::unique(includes.begin(), includes.end()), includes.end());
    record_.n_errors = unit_.n_errors();
    return std::move(record_);
  }

 private:
  struct File {
    std::string path;
    std::string_view text;
    std::vector<Occurrence> occurrences;  // symbol and container: numbers of symbols_
  };

  /// What the cursors above say to those below.
  struct Above {
    std::uint32_t container = kNoContainer;
    CXCursor* callee = nullptr;  // of the call that this is part of, until it was found
    bool is_top = true;          // above is the unit alone
  };

  struct Visit {
    Recorder* recorder;
    Above above;
  };

  // ---- files

  std::uint32_t file_idx(CXFile file) {
    if (file == nullptr) return kOutside;
    const auto [known, is_new] = by_file_.try_emplace(file, kOutside);
    if (!is_new) return known->second;
    std::string path = unit_.path_of(file);
    if (!TranslationUnit::is_inside(path)) return kOutside;
    const auto same = std::ranges::find(files_, path, &File::path);
    const auto idx = static_cast<std::uint32_t>(same - files_.begin());
    if (same == files_.end()) {
      std::size_t size = 0;
      const char* text = library_->clang_getFileContents(unit_.get(), file, &size);
      if (text == nullptr) return kOutside;
      files_.push_back({std::move(path), {text, size}, {}});
    }
    by_file_[file] = idx;
    return idx;
  }

  void include(CXFile file, CXSourceLocation* stack, unsigned depth) {
    const auto to = file_idx(file);
    if (depth == 0 || to == kOutside) return;
    const auto from = file_idx(place_of(library_, stack[0]).file);
    if (from == kOutside) return;
    record_.includes.push_back({files_[from].path, files_[to].path});
  }

  // ---- cursors

  /// What is left of `above`: its callee may have been found.
  Above visit_children(CXCursor cursor, Above above) {
    Visit visit{this, above};
    library_->clang_visitChildren(
        cursor,
        [](CXCursor child, CXCursor, CXClientData data) {
          auto* const to = static_cast<Visit*>(data);
          to->recorder->visit(child, to->above);
          return kVisitContinue;
        },
        &visit);
    return visit.above;
  }

  void visit(CXCursor cursor, Above& above) {
    Above below{above.container, nullptr, false};
    if (above.is_top && file_idx(place_of(library_, cursor).file) == kOutside) return;
    if (is_declaration(cursor.kind) || cursor.kind == kMacroDefinition) {
      if (const auto idx = declare(cursor, above)) {
        const bool is_scope = !symbols_.entries()[*idx].symbol.is_local;
        if (is_scope) below.container = *idx;
      }
    } else if (cursor.kind == kMacroExpansion) {
      refer(cursor, library_->clang_getCursorReferenced(cursor), Role::kExpansion, above);
    } else if (cursor.kind == kCallExpr) {
      call(cursor, above);
      return;
    } else if (is_reference(cursor.kind)) {
      CXCursor referenced = library_->clang_getCursorReferenced(cursor);
      Role role = Role::kReference;
      if (above.callee != nullptr && library_->clang_equalCursors(referenced, *above.callee) != 0) {
        role = Role::kCall;
        above.callee = nullptr;
      }
      refer(cursor, referenced, role, above);
    } else {
      // Casts and parentheses around the callee. Of an operator the first operand stands before it.
      below.callee = std::exchange(above.callee, nullptr);
      above.callee = visit_children(cursor, below).callee;
      return;
    }
    visit_children(cursor, below);
  }

  static bool is_reference(int kind) {
    switch (kind) {
      case kTypeRef:
      case kTemplateRef:
      case kNamespaceRef:
      case kMemberRef:
      case kOverloadedDeclRef:
      case kVariableRef:
      case kDeclRefExpr:
      case kMemberRefExpr:
        return true;
      default:
        return false;
    }
  }

  void call(CXCursor cursor, const Above& above) {
    CXCursor callee = library_->clang_getCursorReferenced(cursor);
    if (callee.kind == kConstructor) refer(cursor, callee, Role::kCall, above);
    visit_children(cursor, {above.container, is_invalid(callee) ? nullptr : &callee, false});
  }

  bool defines(CXCursor cursor) const {
    switch (cursor.kind) {
      case kMacroDefinition:
      case kParmDecl:
      case kNamespaceAlias:
      case kTypedefDecl:
      case kTypeAliasDecl:
      case kTypeAliasTemplateDecl:
      case kFieldDecl:
        return true;
      case kVarDecl:
        return library_->clang_isCursorDefinition(cursor) != 0 || is_tentative(cursor);
      default:
        return library_->clang_isCursorDefinition(cursor) != 0;
    }
  }

  /// C's `int x;` at file level, which libclang calls no definition: what is neither extern nor a
  /// static member.
  bool is_tentative(CXCursor variable) const {
    const int owner = library_->clang_getCursorSemanticParent(variable).kind;
    if (owner == kStructDecl || owner == kUnionDecl || owner == kClassDecl ||
        owner == kClassTemplate || owner == kClassTemplatePartialSpecialization) {
      return false;
    }
    const CXSourceRange extent = library_->clang_getCursorExtent(variable);
    const Place begin = place_of(library_, library_->clang_getRangeStart(extent));
    const auto file = by_file_.find(begin.file);
    if (file == by_file_.end() || file->second == kOutside) return false;
    const std::string_view text = files_[file->second].text;
    return begin.offset < text.size() && !text.substr(begin.offset).starts_with("extern");
  }

  std::optional<std::uint32_t> declare(CXCursor cursor, const Above& above) {
    if (cursor.kind == kUsingDeclaration || cursor.kind == kUsingDirective) return std::nullopt;
    const auto idx = symbols_.find(cursor);
    if (!idx) return std::nullopt;
    const bool is_definition = defines(cursor);
    add(cursor, *idx, is_definition ? Role::kDefinition : Role::kDeclaration, above);
    return idx;
  }

  void refer(CXCursor cursor, CXCursor referenced, Role role, const Above& above) {
    if (cursor.kind == kOverloadedDeclRef) {
      const unsigned n = library_->clang_getNumOverloadedDecls(cursor);
      for (unsigned i = 0; i < n; ++i) {
        const auto idx = symbols_.find(library_->clang_getOverloadedDecl(cursor, i));
        if (idx) add(cursor, *idx, role, above);
      }
      return;
    }
    if (const auto idx = symbols_.find(referenced)) add(cursor, *idx, role, above);
  }

  void add(CXCursor cursor, std::uint32_t symbol, Role role, const Above& above) {
    const Place place = place_of(library_, cursor);
    const auto file = file_idx(place.file);
    if (file == kOutside || place.offset >= files_[file].text.size()) return;
    const std::string_view text = files_[file].text;
    const auto& entry = symbols_.entries()[symbol].symbol;
    Occurrence occurrence{.offset = place.offset,
                          .length = 0,
                          .role = role,
                          .is_implicit = false,
                          .symbol_idx = symbol,
                          .container_idx = above.container};
    std::size_t end = end_of_word(text, place.offset);
    if (text.substr(place.offset).starts_with("operator") && entry.name.starts_with("operator")) {
      end = end_of_operator(cursor, place, end);
    } else if (text.substr(place.offset).starts_with(entry.name)) {
      end = std::max<std::size_t>(end, place.offset + entry.name.size());
      occurrence.is_implicit = end - place.offset != entry.name.size();
    } else {
      occurrence.is_implicit = true;
    }
    // What macros and operators of other people's headers do is of no interest here.
    if (occurrence.is_implicit && entry.outside) return;
    occurrence.length =
        static_cast<std::uint16_t>(std::min<std::size_t>(end - place.offset, 0xFFFF));
    files_[file].occurrences.push_back(occurrence);
  }

  /// "operator==" is more than a word.
  std::size_t end_of_operator(CXCursor cursor, const Place& place, std::size_t end) const {
    const CXSourceRange range = library_->clang_Cursor_getSpellingNameRange(cursor, 0, 0);
    const Place last = place_of(library_, library_->clang_getRangeEnd(range));
    return last.file == place.file && last.offset > end && last.offset < end + 256 ? last.offset
                                                                                   : end;
  }

  // ---- the record

  /// Implicit members stand where their class stands: they are the class.
  void find_aliases() {
    const auto place_key = [](std::uint64_t file, std::uint32_t offset) {
      return file << 32 | offset;
    };
    std::unordered_map<std::uint64_t, std::uint32_t> declared;  // by place; their symbols
    for (std::size_t i = 0; i < files_.size(); ++i) {
      for (const Occurrence& occurrence : files_[i].occurrences) {
        if (occurrence.role > Role::kDefinition || occurrence.is_implicit) continue;
        const auto kind = symbols_.entries()[occurrence.symbol_idx].symbol.kind;
        if (kind == SymbolKind::kMethod) continue;
        declared.emplace(place_key(i, occurrence.offset), occurrence.symbol_idx);
      }
    }
    const auto& entries = symbols_.entries();
    for (std::uint32_t idx = 0; idx < entries.size(); ++idx) {
      const auto& [symbol, place] = entries[idx];
      const auto file = by_file_.find(place.file);
      if (symbol.kind != SymbolKind::kMethod || file == by_file_.end()) continue;
      const auto there = declared.find(place_key(file->second, place.offset));
      if (there == declared.end() || entries[there->second].symbol.name != symbol.name) continue;
      aliases_.emplace(idx, there->second);
    }
  }

  void finish(File& file) {
    std::vector<std::uint32_t> used;
    std::erase_if(file.occurrences, [&](Occurrence& occurrence) {
      const auto alias = aliases_.find(occurrence.symbol_idx);
      if (alias == aliases_.end()) return false;
      occurrence.symbol_idx = alias->second;
      return occurrence.is_implicit || occurrence.role <= Role::kDefinition;
    });
    for (const Occurrence& occurrence : file.occurrences) {
      used.push_back(occurrence.symbol_idx);
      if (occurrence.container_idx != kNoContainer) used.push_back(occurrence.container_idx);
    }
    const auto key_at = [&](std::uint32_t idx) { return symbols_.entries()[idx].symbol.key; };
    std::ranges::sort(used, {}, key_at);
    used.erase(std::unique(used.begin(), used.end()), used.end());
    FileSemantics& result = record_.files.emplace_back();
    result.path = std::move(file.path);
    result.hash = hash_content(file.text);
    result.n_bytes = static_cast<std::uint32_t>(file.text.size());
    std::unordered_map<std::uint32_t, std::uint32_t> number_in_file;
    for (const std::uint32_t idx : used) {
      number_in_file.emplace(idx, static_cast<std::uint32_t>(result.symbols.size()));
      result.symbols.push_back(symbols_.entries()[idx].symbol);
    }
    for (Occurrence& occurrence : file.occurrences) {
      occurrence.symbol_idx = number_in_file[occurrence.symbol_idx];
      if (occurrence.container_idx != kNoContainer) {
        occurrence.container_idx = number_in_file[occurrence.container_idx];
      }
    }
    sort(file.occurrences);
    result.occurrences = std::move(file.occurrences);
  }

  static void sort(std::vector<Occurrence>& occurrences) {
    const auto order = [](const Occurrence& o) {
      return std::tuple(o.offset, o.symbol_idx, o.role, o.is_implicit);
    };
    const auto place = [](const Occurrence& o) { return std::tuple(o.offset, o.symbol_idx); };
    std::ranges::sort(occurrences, {}, order);
    // A call is a reference, too, and a definition a declaration: the one that says more is kept.
    std::vector<Occurrence> kept;
    for (const Occurrence& occurrence : occurrences) {
      if (!kept.empty() && place(kept.back()) == place(occurrence)) {
        if (occurrence.is_implicit && !kept.back().is_implicit) continue;
        kept.back() = occurrence;
      } else {
        kept.push_back(occurrence);
      }
    }
    occurrences = std::move(kept);
  }

  const TranslationUnit& unit_;
  const Library& library_;
  Symbols symbols_;
  std::vector<File> files_;
  std::unordered_map<CXFile, std::uint32_t> by_file_;
  std::unordered_map<std::uint32_t, std::uint32_t> aliases_;
  UnitRecord record_;
};

}  // namespace

UnitRecord record_unit(const TranslationUnit& unit, const std::string& main_path) {
  return Recorder(unit, main_path).run();
}

}  // namespace kinglet::indexer::clang
