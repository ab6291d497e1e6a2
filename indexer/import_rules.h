// The table behind imports.h: what a language's import targets look like.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kinglet::indexer {

/// How the words of a target become a path.
enum class ImportForm : std::uint8_t {
  kPath,        // "dir/file.h": a path as it is
  kPython,      // "..pkg.module"
  kJavaScript,  // "./file", "@/file", "package/file"
  kGo,          // "host/user/module/folder": a folder
  kRust,        // "crate::a::b", "super::x", "module"
  kDotted,      // "com.company.Class", "com.company.*"
  kNamespace,   // "App\Models\User", whose first words may have no folder
};

/// One row: what a language's targets look like.
struct ImportRules {
  std::string_view language;
  ImportForm form;
  std::span<const std::string_view>
      extensions;  // tried behind the path, in this order; "": as it is
  std::span<const std::string_view> index_files;  // of a folder that is named
  std::span<const std::string_view> bases;  // folders below each ancestor that paths may start from
};

/// The row of that name, or one for any language (whose `language` is empty): a path, with the
/// importing file's own extension if need be.
const ImportRules& import_rules_of(std::string_view language);

}  // namespace kinglet::indexer
