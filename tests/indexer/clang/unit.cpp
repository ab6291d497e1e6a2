#include "tests/indexer/clang/unit.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include <doctest/doctest.h>

namespace kinglet::test {

namespace clang = indexer::clang;

const clang::Library* libclang() {
  static const auto kLibrary = clang::Library::load();
  return kLibrary ? kLibrary->get() : nullptr;
}

Unit::Unit(Files files, std::vector<std::string> flags)
    : files_(files.begin(), files.end()), flags_(std::move(flags)) {
  for (const auto& [name, text] : files_) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  Result<clang::UnitRecord> record;
  const auto ran = clang::run_with_deep_stack([&] {
    clang::Session session(*libclang());
    const auto wanted = request();
    record =
        session.parse(wanted, clang::Bodies::kAll).map([&](const clang::TranslationUnit& unit) {
          return clang::record_unit(unit, wanted.path);
        });
  });
  REQUIRE(ran);
  REQUIRE(record);
  record_ = *std::move(record);
}

clang::UnitRequest Unit::request() const {
  const std::string main = files_.contains("main.c") ? "main.c" : "main.cpp";
  std::vector<std::string> flags = flags_;
  if (main == "main.cpp") flags.emplace_back("-std=c++20");
  return {.root = std::filesystem::canonical(folder_.path()).string(),
          .path = main,
          .flags = flags,
          .unsaved = {}};
}

const clang::FileSemantics& Unit::semantics(const std::string& file) const {
  const auto found = std::ranges::find(record_.files, file, &clang::FileSemantics::path);
  REQUIRE(found != record_.files.end());
  return *found;
}

std::uint32_t Unit::offset(const std::string& file, const std::string& text, std::size_t n) const {
  const std::string& whole = files_.at(file);
  std::size_t at = whole.find(text);
  for (; n > 0; --n)
    at = whole.find(text, at + 1);
  REQUIRE(at != std::string::npos);
  return static_cast<std::uint32_t>(at);
}

std::string Unit::at(const std::string& file, const std::string& text, std::size_t n) const {
  static const char* const kNames[] = {"declare", "define", "refer", "call", "expand"};
  const auto& found = semantics(file);
  const std::uint32_t wanted = offset(file, text, n);
  std::set<std::string> words;
  for (const auto& occurrence : found.occurrences) {
    if (occurrence.offset != wanted) continue;
    const auto& name = found.symbols[occurrence.symbol_idx].name;
    std::string word = std::string(kNames[static_cast<int>(occurrence.role)]) + " " + name;
    words.insert(occurrence.is_implicit ? "[" + word + "]" : word);
  }
  std::string joined;
  for (const auto& word : words)
    joined += (joined.empty() ? "" : ", ") + word;
  return joined;
}

std::vector<clang::SymbolKey> Unit::keys(const std::string& file, std::uint32_t offset) const {
  std::vector<clang::SymbolKey> keys;
  const auto& found = semantics(file);
  for (const auto& occurrence : found.occurrences) {
    if (occurrence.offset == offset && !occurrence.is_implicit) {
      keys.push_back(found.symbols[occurrence.symbol_idx].key);
    }
  }
  std::ranges::sort(keys);
  return keys;
}

std::string Unit::home(const std::string& file, const std::string& text, std::size_t n) const {
  const auto wanted = keys(file, offset(file, text, n));
  std::set<std::string> homes;
  for (const auto& each : record_.files) {
    for (const auto& occurrence : each.occurrences) {
      if (occurrence.role > clang::Role::kDefinition) continue;
      const auto key = each.symbols[occurrence.symbol_idx].key;
      if (std::ranges::find(wanted, key) == wanted.end()) continue;
      const std::string& whole = files_.at(each.path);
      const auto line = 1 + std::count(whole.begin(), whole.begin() + occurrence.offset, '\n');
      homes.insert(each.path + ":" + std::to_string(line) +
                   (occurrence.role == clang::Role::kDeclaration ? "?" : ""));
    }
  }
  std::string joined;
  for (const auto& home : homes)
    joined += (joined.empty() ? "" : " ") + home;
  return joined;
}

bool Unit::same(const std::string& file,
                const std::string& a,
                std::size_t n_a,
                const std::string& b,
                std::size_t n_b) const {
  const auto one = keys(file, offset(file, a, n_a));
  return !one.empty() && one == keys(file, offset(file, b, n_b));
}

}  // namespace kinglet::test
