// The kernels that lie compiled in vulkan/kernels/matrix: that they are of the sources beside them.
// KINGLET_UPDATE_GOLDEN=1 with KINGLET_GLSLC, a compiler that knows cooperative matrices, compiles
// them anew.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "vulkan/kernels/all.h"
#include "vulkan/spirv.h"

using namespace kinglet::vulkan;

namespace {

namespace fs = std::filesystem;

fs::path folder() {
  return fs::path(KINGLET_SOURCE_DIR) / "vulkan" / "kernels" / "matrix";
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// FNV-1a over a file's bytes and those of the files it includes, each where it is first named.
void hash_sources(const fs::path& file, std::set<fs::path>& seen, std::uint64_t& hash) {
  if (!seen.insert(file.lexically_normal()).second) return;
  const std::string text = text_of(file);
  for (const char byte : text)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kInclude = "#include \"";
    if (line.rfind(kInclude, 0) != 0) continue;
    const std::size_t end = line.find('"', kInclude.size());
    REQUIRE(end != std::string::npos);
    hash_sources(
        file.parent_path() / line.substr(kInclude.size(), end - kInclude.size()), seen, hash);
  }
}

std::string source_hash(const fs::path& file) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  std::set<fs::path> seen;
  hash_sources(file, seen, hash);
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::set<std::string> sources() {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder())) {
    if (entry.path().extension() == ".comp") names.insert(entry.path().stem().string());
  }
  return names;
}

void compile(const std::set<std::string>& names, const std::string& glslc) {
  std::ofstream table(folder() / "sources.txt");
  for (const std::string& name : names) {
    const std::string file = (folder() / name).string();
    const std::string command = "'" + glslc + "' --target-env=vulkan1.2 -O -Werror -o '" + file +
                                ".spv' '" + file + ".comp'";
    REQUIRE(std::system(command.c_str()) == 0);
    table << name << ' ' << source_hash(file + ".comp") << '\n';
  }
}

}  // namespace

TEST_SUITE("vulkan/matrix_kernels") {
  TEST_CASE("the SPIR-V that lies there was compiled from the sources beside it") {
    const std::set<std::string> names = sources();
    REQUIRE(!names.empty());
    const char* const glslc = std::getenv("KINGLET_GLSLC");
    if (std::getenv("KINGLET_UPDATE_GOLDEN") != nullptr && glslc != nullptr) compile(names, glslc);
    std::map<std::string, std::string> hashes;
    std::istringstream table(text_of(folder() / "sources.txt"));
    for (std::string name, hash; table >> name >> hash;)
      hashes[name] = hash;
    CHECK(hashes.size() == names.size());
    for (const std::string& name : names) {
      CAPTURE(name);
      INFO("vulkan/kernels/matrix/README.md says how it is compiled anew");
      CHECK(hashes[name] == source_hash(folder() / (name + ".comp")));
    }
  }

  TEST_CASE("every source has its SPIR-V and a row, and every row its source") {
    std::set<std::string> rows;
    for (const Kernel& row : matrix_kernels()) {
      CAPTURE(row.name);
      rows.emplace(row.name);
      CHECK(&kernel(row.name) == &row);
      const auto shader = reflect(row.spirv);
      REQUIRE(shader.has_value());
      CHECK(shader->push_bytes > 0);
      CHECK(shader->push_bytes <= 128);
      const std::string file = text_of(folder() / (std::string(row.name) + ".spv"));
      const auto words = std::as_bytes(row.spirv);
      REQUIRE(file.size() == words.size());
      CHECK(std::equal(file.begin(), file.end(), words.begin(), [](char a, std::byte b) {
        return static_cast<std::byte>(a) == b;
      }));
    }
    CHECK(rows == sources());
  }
}
