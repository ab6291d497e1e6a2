// The language table. A new language is one row here, NAME.scm beside, its grammar in package.json
// and CMakeLists.txt, and a golden folder in tests/indexer/golden.
#include <algorithm>
#include <array>
#include <string_view>

#include "indexer/language.h"
#include "indexer/languages/queries.h"

extern "C" {
const TSLanguage* tree_sitter_c();
const TSLanguage* tree_sitter_cpp();
const TSLanguage* tree_sitter_python();
}

namespace kinglet::indexer {
namespace {

using Extensions = std::string_view[];

constexpr Extensions kC = {"c"};
constexpr Extensions kCpp = {
    "cpp", "cc", "cxx", "c++", "C", "h", "hpp", "hh", "hxx", "h++", "H", "ipp", "tpp", "inl", "cu"};
constexpr Extensions kPython = {"py", "pyi", "pyw"};

constexpr SignatureForm kBraces = {.end = ";", .open_scope = " {", .close_scope = "};"};
constexpr SignatureForm kIndented = {.end = " ...", .open_scope = "", .close_scope = ""};

const std::array kLanguages = {
    Language{"c", kC, tree_sitter_c, kQuery_c, "::", kBraces, LexicalForm::kBraces},
    Language{"cpp", kCpp, tree_sitter_cpp, kQuery_cpp, "::", kBraces, LexicalForm::kBraces},
    Language{"python",
             kPython,
             tree_sitter_python,
             kQuery_python,
             ".",
             kIndented,
             LexicalForm::kIndented},
    Language{"text", {}, nullptr, {}, ".", {}, LexicalForm::kNone},
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
                                         "constexpr "};
  return std::any_of(std::begin(kSigns), std::end(kSigns), [&](std::string_view sign) {
    return text.find(sign) != std::string_view::npos;
  });
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
  const std::size_t dot = file.rfind('.');
  if (dot == std::string_view::npos) return kLanguages.back();
  const std::string_view extension = file.substr(dot + 1);
  if (extension == "h" && !looks_like_cpp(text)) return *find_language("c");
  for (const Language& language : kLanguages) {
    const auto& all = language.extensions;
    if (std::find(all.begin(), all.end(), extension) != all.end()) return language;
  }
  return kLanguages.back();
}

}  // namespace kinglet::indexer
