// What libclang knows of the name at a place, in the form of the syntactic resolver's answer, so
// that features need not care who gave it.
//
// libclang speaks of exact texts: of the document as it is now, or there is no answer; each place
// counts only in a text that the session has. What it has not seen stays with syntax: definitions
// in files that no unit has read yet, files without a unit, code that the preprocessor leaves out.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/features/navigation.h"
#include "indexer/clang/semantic_index.h"
#include "indexer/resolve.h"

namespace kinglet::daemon {

struct CompilerAnswer {
  /// Of Source::kCompiler. Symbols are entities; of each the definitions before the declarations.
  indexer::Resolution resolution;
  std::vector<indexer::clang::SemanticSymbol> symbols;  // one or more
  /// 1: the file's own compile command; less where it was guessed.
  float confidence = 1;
  /// Where the symbols, and the methods that override them or that they override, are meant: in
  /// texts that the session has, by path and place.
  std::vector<indexer::clang::SemanticPlace> places;
  /// The first symbol as the syntactic index knows it, for the files that no unit has seen.
  std::optional<indexer::Resolution> by_syntax;
};

/// Nothing: libclang has not seen that text of the job's document, no symbol stands there, or
/// nothing is known of it that could be shown. kCancelled.
Result<std::optional<CompilerAnswer>> ask_compiler(const NavigationJob& job,
                                                   const indexer::LinkedIndex& index,
                                                   IndexedTexts& texts,
                                                   const std::stop_token& stop);

/// Whether a unit has seen the file as the session has it: then what syntax says of a place in it
/// is news only where has_compiled_name() is false.
bool is_compiled(const NavigationJob& job, IndexedTexts& texts, const std::string& path);
bool has_compiled_name(const NavigationJob& job,
                       IndexedTexts& texts,
                       const std::string& path,
                       std::uint32_t offset);

}  // namespace kinglet::daemon
