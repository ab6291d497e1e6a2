// The table of languages: one row and one query file each (languages/).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

typedef struct TSLanguage TSLanguage;  // NOLINT(modernize-use-using): tree-sitter's own spelling

namespace kinglet::indexer {

/// How definitions are written where their bodies are left out (context packing): as code that
/// parses.
struct SignatureForm {
  std::string_view body = {};         // for a function's body: ";", " {}", " ..."
  std::string_view type_body = {};    // for that of a type
  std::string_view end = {};          // after what has no body: ";"
  std::string_view open_scope = {};   // after the head of a type whose members follow: " {"
  std::string_view close_scope = {};  // on a line of its own after the members: "};"
  std::string_view field_end = {};    // after a member that is no function
  std::string_view variable = {};     // before one that was declared in a group: "var "
  std::string_view constant = {};
  std::string_view type = {};
};

/// How to find definitions where the grammar could not, or where there is none: by the words before
/// braces, by indented `def` and `class`, by commands (commands.h), not at all.
enum class LexicalForm : std::uint8_t { kNone, kBraces, kIndented, kCommands };

/// One row. Everything lives as long as the program. Lists are words apart by one space.
struct Language {
  std::string_view name;
  std::string_view extensions = {};          // without the dot: "py pyi"
  std::string_view file_names = {};          // "Gemfile Rakefile"
  std::string_view interpreters = {};        // of a #! line, without version: "python"
  const TSLanguage* (*grammar)() = nullptr;  // null: plain text, chunks and names only
  // tree-sitter patterns (query.h). @definition.KIND with @name; @body is what a signature leaves
  // out, @content a body that it keeps, @doc a docstring, @test marks tests; @inner within @outer
  // (or @outer.lines, which the signature does not show) widens a definition; @import with @target.
  // @container is what a definition belongs to where that does not enclose it (a receiver).
  // Bare nodes: @reference, @reference.text (identifiers in unparsed text), @comment.
  std::string_view query = {};
  std::string_view scope_separator = ".";  // between container and name: "::", "."
  SignatureForm signature = {};
  LexicalForm lexical = LexicalForm::kNone;
  bool is_data = false;  // or markup: its definitions are keys, headings, selectors
};

/// All rows; the last one is "text", for every file that no other row claims.
std::span<const Language> all_languages();

/// By the file's name, its extension, or its #! line when it has none; `.h` is C++ when its text
/// shows it. Never fails: "text" at last.
const Language& language_of(std::string_view path, std::string_view text);

/// The row with that name, or null.
const Language* find_language(std::string_view name);

}  // namespace kinglet::indexer
