#include "indexer/import_rules.h"

#include <algorithm>
#include <iterator>

namespace kinglet::indexer {
namespace {

using Names = std::string_view[];
constexpr Names kAsItIs = {""};
constexpr Names kNoBase = {""};
constexpr Names kIncludeBases = {"", "include", "src", "inc", "lib"};
constexpr Names kPy = {".py", ".pyi", ".pyx"};
constexpr Names kPyIndex = {"__init__.py", "__init__.pyi"};
constexpr Names kPyBases = {"", "src", "lib"};
constexpr Names kJs = {"",
                       ".ts",
                       ".tsx",
                       ".d.ts",
                       ".js",
                       ".jsx",
                       ".mjs",
                       ".cjs",
                       ".mts",
                       ".cts",
                       ".json",
                       ".vue",
                       ".svelte",
                       ".css"};
constexpr Names kJsIndex = {"index.ts",
                            "index.tsx",
                            "index.js",
                            "index.jsx",
                            "index.mjs",
                            "index.d.ts",
                            "src/index.ts",
                            "src/index.tsx",
                            "src/index.js"};
constexpr Names kJsBases = {"", "src"};
constexpr Names kGo = {".go"};
constexpr Names kRs = {".rs"};
constexpr Names kRsIndex = {"mod.rs"};
constexpr Names kJvm = {".java", ".kt", ".kts", ".scala", ".groovy"};
constexpr Names kCs = {".cs"};
constexpr Names kSwift = {".swift"};
constexpr Names kRb = {".rb", ""};
constexpr Names kRbBases = {"", "lib", "app"};
constexpr Names kLua = {".lua"};
constexpr Names kLuaIndex = {"init.lua"};
constexpr Names kLuaBases = {"", "lua", "src"};
constexpr Names kPhp = {".php", ""};
constexpr Names kPhpBases = {"", "src", "app", "lib"};
constexpr Names kSh = {"", ".sh", ".bash"};
constexpr Names kCss = {"", ".css", ".scss", ".sass", ".less"};
constexpr Names kCMake = {"", ".cmake"};
constexpr Names kCMakeIndex = {"CMakeLists.txt"};
constexpr Names kCMakeBases = {"", "cmake"};

constexpr ImportRules kRules[] = {
    {"c", ImportForm::kPath, kAsItIs, {}, kIncludeBases},
    {"cpp", ImportForm::kPath, kAsItIs, {}, kIncludeBases},
    {"python", ImportForm::kPython, kPy, kPyIndex, kPyBases},
    {"javascript", ImportForm::kJavaScript, kJs, kJsIndex, kJsBases},
    {"typescript", ImportForm::kJavaScript, kJs, kJsIndex, kJsBases},
    {"tsx", ImportForm::kJavaScript, kJs, kJsIndex, kJsBases},
    {"go", ImportForm::kGo, kGo, {}, kNoBase},
    {"rust", ImportForm::kRust, kRs, kRsIndex, kNoBase},
    {"java", ImportForm::kDotted, kJvm, {}, kNoBase},
    {"kotlin", ImportForm::kDotted, kJvm, {}, kNoBase},
    {"csharp", ImportForm::kDotted, kCs, {}, kNoBase},
    {"swift", ImportForm::kDotted, kSwift, {}, kNoBase},
    {"ruby", ImportForm::kPath, kRb, {}, kRbBases},
    {"lua", ImportForm::kDotted, kLua, kLuaIndex, kLuaBases},
    {"php", ImportForm::kNamespace, kPhp, {}, kPhpBases},
    {"bash", ImportForm::kPath, kSh, {}, kNoBase},
    {"css", ImportForm::kPath, kCss, {}, kNoBase},
    {"scss", ImportForm::kPath, kCss, {}, kNoBase},
    {"html", ImportForm::kPath, kAsItIs, {}, kNoBase},
    {"cmake", ImportForm::kPath, kCMake, kCMakeIndex, kCMakeBases},
    {"markdown", ImportForm::kPath, kAsItIs, {}, kNoBase},
};
constexpr ImportRules kAnyLanguage = {"", ImportForm::kPath, kAsItIs, {}, kNoBase};

}  // namespace

const ImportRules& import_rules_of(std::string_view language) {
  const auto row = std::ranges::find(kRules, language, &ImportRules::language);
  return row == std::end(kRules) ? kAnyLanguage : *row;
}

}  // namespace kinglet::indexer
