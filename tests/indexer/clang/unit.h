// Translation units from texts, for tests. A test that wants one says "skipped" without libclang.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "indexer/clang/translation_unit.h"
#include "indexer/clang/unit_record.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

/// The library, loaded once; null without it.
const indexer::clang::Library* libclang();

#define REQUIRE_LIBCLANG() \
  if (::kinglet::test::libclang() == nullptr) SKIP("libclang is not installed")

/// A folder with sources, parsed together.
class Unit {
 public:
  /// By name; the one called main.cpp or main.c is the unit.
  using Files = std::initializer_list<std::pair<const char*, std::string>>;
  explicit Unit(Files files, std::vector<std::string> flags = {});

  const indexer::clang::UnitRecord& record() const { return record_; }
  /// Who is meant at the n-th (from 0) place where `text` stands in a file: "role name" of each
  /// occurrence that begins there, sorted, with ", " between: "call go". Implicit ones in brackets.
  std::string at(const std::string& file, const std::string& text, std::size_t n = 0) const;
  /// Where that symbol is defined or declared: "a.h:3" (lines from 1), sorted, a declaration with
  /// "?" behind.
  std::string home(const std::string& file, const std::string& text, std::size_t n = 0) const;
  /// Whether two places mean the same symbol.
  bool same(const std::string& file,
            const std::string& a,
            std::size_t n_a,
            const std::string& b,
            std::size_t n_b) const;

  const std::map<std::string, std::string>& files() const { return files_; }
  std::string root() const { return folder_.path().string(); }
  indexer::clang::UnitRequest request() const;

 private:
  std::uint32_t offset(const std::string& file, const std::string& text, std::size_t n) const;
  const indexer::clang::FileSemantics& semantics(const std::string& file) const;
  std::vector<indexer::clang::SymbolKey> keys(const std::string& file, std::uint32_t offset) const;

  TemporaryFolder folder_;
  std::map<std::string, std::string> files_;
  std::vector<std::string> flags_;
  indexer::clang::UnitRecord record_;
};

}  // namespace kinglet::test
