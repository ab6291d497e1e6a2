// The language table. A new language is one row here, NAME.scm beside, its grammar in package.json
// and CMakeLists.txt, and a golden folder in tests/indexer/golden.
#include <algorithm>
#include <array>
#include <string_view>

#include "indexer/language.h"
#include "indexer/languages/queries.h"

extern "C" {
const TSLanguage* tree_sitter_bash();
const TSLanguage* tree_sitter_c();
const TSLanguage* tree_sitter_c_sharp();
const TSLanguage* tree_sitter_cpp();
const TSLanguage* tree_sitter_css();
const TSLanguage* tree_sitter_go();
const TSLanguage* tree_sitter_html();
const TSLanguage* tree_sitter_java();
const TSLanguage* tree_sitter_javascript();
const TSLanguage* tree_sitter_json();
const TSLanguage* tree_sitter_kotlin();
const TSLanguage* tree_sitter_lua();
const TSLanguage* tree_sitter_markdown();
const TSLanguage* tree_sitter_php();
const TSLanguage* tree_sitter_python();
const TSLanguage* tree_sitter_ruby();
const TSLanguage* tree_sitter_rust();
const TSLanguage* tree_sitter_sql();
const TSLanguage* tree_sitter_swift();
const TSLanguage* tree_sitter_toml();
const TSLanguage* tree_sitter_tsx();
const TSLanguage* tree_sitter_typescript();
const TSLanguage* tree_sitter_yaml();
}

namespace kinglet::indexer {
namespace {

constexpr SignatureForm kDeclarations = {.body = ";",
                                         .type_body = " {};",
                                         .end = ";",
                                         .open_scope = " {",
                                         .close_scope = "};",
                                         .field_end = ";"};
// Bodies may be empty, and statements need not end.
constexpr SignatureForm kBraces = {
    .body = " {}", .type_body = " {}", .open_scope = " {", .close_scope = "}"};
constexpr SignatureForm kBracesAndSemicolons = {.body = " {}",
                                                .type_body = " {}",
                                                .end = ";",
                                                .open_scope = " {",
                                                .close_scope = "}",
                                                .field_end = ";"};
constexpr SignatureForm kGo = {.type_body = " {}",
                               .open_scope = " {",
                               .close_scope = "}",
                               .variable = "var ",
                               .constant = "const ",
                               .type = "type "};
constexpr SignatureForm kRust = {.body = " {}",
                                 .type_body = " {}",
                                 .end = ";",
                                 .open_scope = " {",
                                 .close_scope = "}",
                                 .field_end = ","};
constexpr SignatureForm kEnd = {.body = "\nend", .type_body = "\nend", .close_scope = "end"};
constexpr SignatureForm kIndented = {.body = " ...", .type_body = " ..."};
constexpr SignatureForm kShell = {.body = " { :; }"};

const std::array kLanguages = {
    Language{.name = "bash",
             .extensions = "sh bash ksh zsh",
             .file_names = ".bashrc .bash_profile .bash_aliases .bash_logout .profile .zshrc "
                           ".zprofile .zshenv PKGBUILD APKBUILD",
             .interpreters = "sh bash dash ash ksh zsh",
             .grammar = tree_sitter_bash,
             .query = kQuery_bash,
             .scope_separator = "::",
             .signature = kShell},
    Language{.name = "c",
             .extensions = "c",
             .grammar = tree_sitter_c,
             .query = kQuery_c,
             .scope_separator = "::",
             .signature = kDeclarations,
             .lexical = LexicalForm::kBraces},
    Language{.name = "cmake",
             .extensions = "cmake",
             .file_names = "CMakeLists.txt",
             .lexical = LexicalForm::kCommands},
    Language{.name = "cpp",
             .extensions = "cpp cc cxx c++ C h hpp hh hxx h++ H ipp tpp inl cu",
             .grammar = tree_sitter_cpp,
             .query = kQuery_cpp,
             .scope_separator = "::",
             .signature = kDeclarations,
             .lexical = LexicalForm::kBraces},
    Language{.name = "csharp",
             .extensions = "cs csx",
             .grammar = tree_sitter_c_sharp,
             .query = kQuery_csharp,
             .scope_separator = ".",
             .signature = kBracesAndSemicolons},
    Language{.name = "css",
             .extensions = "css",
             .grammar = tree_sitter_css,
             .query = kQuery_css,
             .scope_separator = ".",
             .is_data = true},
    Language{.name = "go",
             .extensions = "go",
             .grammar = tree_sitter_go,
             .query = kQuery_go,
             .scope_separator = ".",
             .signature = kGo},
    Language{.name = "html",
             .extensions = "html htm xhtml",
             .grammar = tree_sitter_html,
             .query = kQuery_html,
             .scope_separator = ".",
             .is_data = true},
    Language{.name = "java",
             .extensions = "java",
             .grammar = tree_sitter_java,
             .query = kQuery_java,
             .scope_separator = ".",
             .signature = kBracesAndSemicolons},
    Language{.name = "javascript",
             .extensions = "js mjs cjs jsx",
             .interpreters = "node nodejs",
             .grammar = tree_sitter_javascript,
             .query = kQuery_javascript,
             .scope_separator = ".",
             .signature = kBraces},
    Language{.name = "json",
             .extensions = "json jsonc geojson webmanifest",
             .file_names = "composer.lock Pipfile.lock .babelrc .eslintrc",
             .grammar = tree_sitter_json,
             .query = kQuery_json,
             .scope_separator = ".",
             .is_data = true},
    Language{.name = "kotlin",
             .extensions = "kt kts",
             .grammar = tree_sitter_kotlin,
             .query = kQuery_kotlin,
             .scope_separator = ".",
             .signature = kBraces},
    Language{.name = "lua",
             .extensions = "lua rockspec",
             .file_names = ".luacheckrc",
             .interpreters = "lua luajit",
             .grammar = tree_sitter_lua,
             .query = kQuery_lua,
             .scope_separator = ".",
             .signature = kEnd},
    Language{.name = "markdown",
             .extensions = "md markdown",
             .grammar = tree_sitter_markdown,
             .query = kQuery_markdown,
             .scope_separator = " > ",
             .is_data = true},
    Language{.name = "php",
             .extensions = "php phtml",
             .interpreters = "php",
             .grammar = tree_sitter_php,
             .query = kQuery_php,
             .scope_separator = "\\",
             .signature = kBracesAndSemicolons},
    Language{.name = "python",
             .extensions = "py pyi pyw",
             .file_names = "SConstruct SConscript wscript",
             .interpreters = "python pypy",
             .grammar = tree_sitter_python,
             .query = kQuery_python,
             .scope_separator = ".",
             .signature = kIndented,
             .lexical = LexicalForm::kIndented},
    Language{
        .name = "ruby",
        .extensions = "rb rake gemspec ru podspec",
        .file_names = "Gemfile Rakefile Vagrantfile Podfile Guardfile Capfile Brewfile Fastfile",
        .interpreters = "ruby jruby",
        .grammar = tree_sitter_ruby,
        .query = kQuery_ruby,
        .scope_separator = "::",
        .signature = kEnd},
    Language{.name = "rust",
             .extensions = "rs",
             .grammar = tree_sitter_rust,
             .query = kQuery_rust,
             .scope_separator = "::",
             .signature = kRust},
    Language{.name = "sql",
             .extensions = "sql",
             .grammar = tree_sitter_sql,
             .query = kQuery_sql,
             .scope_separator = "."},
    Language{.name = "swift",
             .extensions = "swift",
             .interpreters = "swift",
             .grammar = tree_sitter_swift,
             .query = kQuery_swift,
             .scope_separator = ".",
             .signature = kBraces},
    Language{.name = "toml",
             .extensions = "toml",
             .file_names = "Cargo.lock poetry.lock uv.lock Pipfile",
             .grammar = tree_sitter_toml,
             .query = kQuery_toml,
             .scope_separator = ".",
             .is_data = true},
    Language{.name = "tsx",
             .extensions = "tsx",
             .grammar = tree_sitter_tsx,
             .query = kQuery_typescript,
             .scope_separator = ".",
             .signature = kBracesAndSemicolons},
    Language{.name = "typescript",
             .extensions = "ts mts cts",
             .interpreters = "deno bun tsx",
             .grammar = tree_sitter_typescript,
             .query = kQuery_typescript,
             .scope_separator = ".",
             .signature = kBracesAndSemicolons},
    Language{.name = "yaml",
             .extensions = "yaml yml",
             .file_names = ".clang-format .clang-tidy CITATION.cff",
             .grammar = tree_sitter_yaml,
             .query = kQuery_yaml,
             .scope_separator = ".",
             .is_data = true},
    Language{.name = "text"},
};

// A header is C++ when it holds a word that C code has no use for. Both grammars read plain
// declarations, so a wrong guess costs little.
bool looks_like_cpp(std::string_view text) {
  constexpr std::string_view kSigns[] = {"namespace ",
                                         "class ",
                                         "template <",
                                         "template<",
                                         "public:",
                                         "private:",
                                         "std::",
                                         "constexpr ",
                                         "nullptr",
                                         "= default;",
                                         "= delete;"};
  return std::any_of(std::begin(kSigns), std::end(kSigns), [&](std::string_view sign) {
    return text.find(sign) != std::string_view::npos;
  });
}

// "python" of "#!/usr/bin/env -S python3.11 -u"; empty without such a line.
std::string_view interpreter_of(std::string_view text) {
  if (!text.starts_with("#!")) return {};
  std::string_view line = text.substr(2, std::min<std::size_t>(text.find('\n'), 256) - 2);
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    line.remove_prefix(begin);
    std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(word.size());
    word = word.substr(word.rfind('/') + 1);
    const bool is_option = word.starts_with('-') || word.find('=') != std::string_view::npos;
    if (word == "env" || is_option) continue;
    return word.substr(0, word.find_last_not_of("0123456789.") + 1);
  }
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

// The row that names the word, or null.
const Language* row_with(std::string_view Language::*words, std::string_view word) {
  const auto row =
      std::find_if(kLanguages.begin(), kLanguages.end(), [&](const Language& language) {
        return has_word(language.*words, word);
      });
  return row == kLanguages.end() ? nullptr : &*row;
}

}  // namespace

std::span<const Language> all_languages() {
  return kLanguages;
}

const Language* find_language(std::string_view name) {
  const auto row = std::find_if(kLanguages.begin(),
                                kLanguages.end(),
                                [&](const Language& language) { return language.name == name; });
  return row == kLanguages.end() ? nullptr : &*row;
}

const Language& language_of(std::string_view path, std::string_view text) {
  const std::string_view file = path.substr(path.rfind('/') + 1);
  if (const Language* language = row_with(&Language::file_names, file)) return *language;
  const std::size_t dot = file.rfind('.');
  if (dot == std::string_view::npos) {
    const Language* language = row_with(&Language::interpreters, interpreter_of(text));
    return language != nullptr ? *language : kLanguages.back();
  }
  const std::string_view extension = file.substr(dot + 1);
  if (extension == "h" && !looks_like_cpp(text)) return *find_language("c");
  // Qt's translations have TypeScript's extension.
  if (extension == "ts" && text.starts_with("<?xml")) return kLanguages.back();
  const Language* language = row_with(&Language::extensions, extension);
  return language != nullptr ? *language : kLanguages.back();
}

}  // namespace kinglet::indexer
