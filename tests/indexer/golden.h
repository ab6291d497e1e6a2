// Golden tests: tests/indexer/golden/<case>/ holds an input and expected.txt.
// KINGLET_UPDATE_GOLDEN=1 rewrites what is expected; the difference is reviewed like code.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::test {

inline std::string read_text_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::filesystem::path golden_folder() {
  return std::filesystem::path(KINGLET_SOURCE_DIR) / "tests/indexer/golden";
}

/// Compares with the file, line by line, and shows the first that differs.
inline void check_golden(const std::filesystem::path& expected, const std::string& actual) {
  if (const char* update = std::getenv("KINGLET_UPDATE_GOLDEN"); update && *update == '1') {
    std::ofstream(expected, std::ios::binary) << actual;
    return;
  }
  const std::string wanted = read_text_file(expected);
  INFO(expected.string() << " (KINGLET_UPDATE_GOLDEN=1 rewrites it)");
  std::size_t line = 1;
  std::size_t begin = 0;
  while (begin < wanted.size() && begin < actual.size()) {
    const auto end_of = [&](const std::string& text) {
      return std::min(text.find('\n', begin), text.size());
    };
    const std::string ours = actual.substr(begin, end_of(actual) - begin);
    const std::string theirs = wanted.substr(begin, end_of(wanted) - begin);
    INFO("line " << line);
    REQUIRE(ours == theirs);
    begin += ours.size() + 1;
    ++line;
  }
  CHECK(actual == wanted);
}

}  // namespace kinglet::test
