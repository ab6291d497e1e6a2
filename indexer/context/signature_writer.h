// Heads of definitions as code of their language.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"
#include "indexer/language.h"

namespace kinglet::indexer {

/// Writes the signatures of one file so that they parse: members inside the head of their type,
/// enumerators inside their enum, each with the ending that its language asks for where a body is
/// left out. What it writes depends on the index alone.
class SignatureWriter {
 public:
  explicit SignatureWriter(const Snapshot& index) : index_(index) {}

  /// `symbols` are of one file. Ends with a line end, or is empty.
  std::string write(std::vector<const Symbol*> symbols);
  /// One of them alone, without what stands around it.
  static std::string line_of(const Symbol& symbol);

 private:
  // Types and enums of a file, the outer ones first.
  const std::vector<Symbol>& scopes_in(const std::string& path);
  const Symbol* scope_of(const Symbol& symbol, const Language& language);

  const Snapshot& index_;                              // outlives the writer
  std::map<std::string, std::vector<Symbol>> scopes_;  // by path
};

}  // namespace kinglet::indexer
